from __future__ import annotations

import dataclasses

import pytest

from sctune.checks import quotas as topic
from sctune.config.model import AccountLimits, Config, Quotas, Thresholds
from sctune.findings import SubjectKind
from sctune.host.base import FilesystemSpace
from sctune.model.cloud import Cloud
from sctune.model.store import Mount, StoreOrigin, VolumeStore
from sctune.unavailable import Reason, Unavailable
from tests.unit.serving_hosts import DAS, GIB, STORE, chain, chains, codes, file, look

UNREAD = Unavailable(reason=Reason.TIMEOUT, what=STORE)
PROPERTIES = "/etc/sctune/properties.txt"


def quotas(**values: object) -> Config:
    return Config(quotas=Quotas(source="/etc/sctune/sctune.yaml", **values))  # type: ignore[arg-type]


def cloud(version: str = "4.4.2", /, **values: int) -> Cloud:
    pairs = tuple((name.replace("__", "."), str(value)) for name, value in values.items())
    return Cloud(version=version, volumes_folder=STORE, properties=pairs)


def store(capacity: int = 10**15, *files: object, **replaced: object) -> VolumeStore:
    space = FilesystemSpace(total=capacity, free=capacity, available=capacity, inodes=9, inodes_free=9)
    mount = Mount(point="/", device=(8, 1), filesystem="ext4", source="/dev/sda1", options=())
    made = VolumeStore(path=STORE, origin=StoreOrigin.BACKEND, mount=mount, space=space, files=files)  # type: ignore[arg-type]
    return dataclasses.replace(made, **replaced)  # type: ignore[arg-type]


def volumes(*sizes: int) -> object:
    return chains(*(chain(f"vol-{number:08x}", size * GIB) for number, size in enumerate(sizes)))


def test_not_a_storage_controller() -> None:
    result = topic.run(look(quotas(total=0), chains=chains(chain("vg/root", 50 * GIB, ours=False))))
    assert result.not_applicable
    assert not result.findings


def test_within_every_limit() -> None:
    config = quotas(total=100 * GIB, volume=10 * GIB, snapshots_total=100 * GIB)
    result = topic.run(look(config, chains=volumes(5, 10), stores=(store(),)))
    assert (result.examined, codes(result), result.unexamined) == (4, [], ())


def test_exactly_the_limit_of_a_volume_is_allowed() -> None:
    # The file is 4 MiB longer than the limit: what counts is the logical size.
    assert codes(topic.run(look(quotas(volume=10 * GIB), chains=volumes(10)))) == []
    result = topic.run(look(quotas(volume=10 * GIB), chains=volumes(5, 11)))
    assert codes(result) == [("QUOTA_VOLUME_EXCEEDED", "warning", "vol-00000001")]
    assert dict(result.findings[0].evidence)["limit"] == "quotas.volume"
    assert "quotas.volume" in result.findings[0].remedy.text


def test_an_entry_for_one_volume_counts_instead() -> None:
    config = quotas(volume=10 * GIB, volumes={"vol-00000000": 20 * GIB, "vol-00000001": 4 * GIB})
    result = topic.run(look(config, chains=volumes(15, 5, 10)))
    assert codes(result) == [("QUOTA_VOLUME_EXCEEDED", "warning", "vol-00000001")]
    assert result.examined == 3


@pytest.mark.parametrize(
    ("used", "code"),
    [
        (89, None),
        (90, ("QUOTA_TOTAL_NEAR", "warning", "total")),
        (100, ("QUOTA_TOTAL_NEAR", "warning", "total")),
        (101, ("QUOTA_TOTAL_EXCEEDED", "critical", "total")),
    ],
)
def test_total(used: int, code: tuple[str, str, str] | None) -> None:
    result = topic.run(look(quotas(total=100 * GIB), chains=volumes(*[1] * used), stores=(store(),)))
    assert codes(result) == ([code] if code else [])


def test_thresholds_are_configured() -> None:
    config = dataclasses.replace(quotas(total=100 * GIB), thresholds=Thresholds(quota_total=0.5))
    assert codes(topic.run(look(config, chains=volumes(50)))) == [("QUOTA_TOTAL_NEAR", "warning", "total")]


def test_a_limit_of_nothing() -> None:
    assert codes(topic.run(look(quotas(total=0), chains=volumes(1)))) == [("QUOTA_TOTAL_EXCEEDED", "critical", "total")]
    assert codes(topic.run(look(quotas(snapshots_total=0), chains=volumes(1)))) == []


@pytest.mark.parametrize(
    ("used", "code"), [(44, None), (45, "QUOTA_SNAPSHOTS_NEAR"), (50, "QUOTA_SNAPSHOTS_NEAR"), (51, "QUOTA_SNAPSHOTS_EXCEEDED")]
)
def test_snapshots(used: int, code: str | None) -> None:
    files = [file(f"snap-{number:08x}", GIB, inode=number + 1) for number in range(used)]
    result = topic.run(look(quotas(snapshots_total=50 * GIB), chains=volumes(1), stores=(store(10**15, *files),)))
    assert [(name, subject) for name, _, subject in codes(result)] == ([(code, "snapshots_total")] if code else [])


def test_recorded_properties_and_the_commands_of_the_version() -> None:
    recorded = {"one__storage__maxtotalvolumesizeingb": 10}
    config = Config(properties=PROPERTIES)
    for version, command in (
        ("4.4.2", "euctl one.storage.maxtotalvolumesizeingb=15"),
        ("4.1.0", "euca-modify-property -p one.storage.maxtotalvolumesizeingb=15"),
        ("3.4.2", "euca-modify-property -p one.storage.maxtotalvolumesizeingb=15"),
        ("5.0.0", "euctl one.storage.maxtotalvolumesizeingb=15"),
        ("", "euctl one.storage.maxtotalvolumesizeingb=15"),
    ):
        result = topic.run(look(config, chains=volumes(12), cloud=cloud(version, **recorded), stores=(store(),)))
        assert codes(result) == [("QUOTA_TOTAL_EXCEEDED", "critical", "total")]
        assert result.findings[0].remedy.commands == (command,)
        assert PROPERTIES in str(dict(result.findings[0].evidence)["source"])


def test_names_in_commands_are_quoted() -> None:
    name = "$(reboot).storage.maxtotalvolumesizeingb"
    recorded = Cloud(version="4.4.2", volumes_folder=STORE, properties=((name, "1"),))
    result = topic.run(look(chains=volumes(12), cloud=recorded))
    assert result.findings[0].remedy.commands == (f"euctl '{name}=15'",)


def test_nothing_known() -> None:
    result = topic.run(look(chains=volumes(5)))
    assert codes(result) == [("QUOTA_UNKNOWN", "info", "host")]
    result = topic.run(look(chains=volumes(5), cloud=cloud()))
    assert codes(result) == [("QUOTA_UNKNOWN", "info", "host")]


def test_properties_that_could_not_be_read_are_unknown_and_no_absent_quota() -> None:
    problem = Unavailable(reason=Reason.MALFORMED, what=PROPERTIES, detail="line 1")
    broken = dataclasses.replace(cloud(), properties_unavailable=problem)
    result = topic.run(look(Config(properties=PROPERTIES), chains=volumes(5), cloud=broken))
    assert (result.examined, codes(result)) == (0, [])
    assert [item.what for item in result.unexamined] == [PROPERTIES]
    result = topic.run(look(Config(properties=PROPERTIES), chains=volumes(5), cloud=problem))
    assert [item.what for item in result.unexamined] == [PROPERTIES]
    configured = dataclasses.replace(quotas(volume=GIB), properties=PROPERTIES)
    result = topic.run(look(configured, chains=volumes(5), cloud=broken))
    assert codes(result) == [("QUOTA_VOLUME_EXCEEDED", "warning", "vol-00000000")]
    assert [item.what for item in result.unexamined] == [PROPERTIES]


def test_partitions_that_cannot_be_told_apart_are_unknown() -> None:
    recorded = cloud(one__storage__maxtotalvolumesizeingb=10, two__storage__maxtotalvolumesizeingb=20)
    result = topic.run(look(chains=volumes(12), cloud=recorded))
    assert codes(result) == []
    assert len(result.unexamined) == 1
    one = chain("vol-00000001", 12 * GIB)
    served = chains(one, by_export={("iqn.2009-06.com.eucalyptus.two:store1", 1): one})
    result = topic.run(look(chains=served, cloud=recorded))
    assert (result.examined, codes(result), result.unexamined) == (2 - 1, [], ())


def test_a_store_that_was_not_read_leaves_a_lower_bound() -> None:
    config = quotas(total=10 * GIB)
    result = topic.run(look(config, chains=volumes(5), stores=(store(files=UNREAD),)))
    assert codes(result) == []
    assert [item.reason for item in result.unexamined] == [Reason.TIMEOUT]
    result = topic.run(look(config, chains=volumes(11), stores=(store(files=UNREAD),)))
    assert codes(result) == [("QUOTA_TOTAL_EXCEEDED", "critical", "total")]
    assert "at least" in result.findings[0].summary
    both = quotas(total=10 * GIB, snapshots_total=10 * GIB)
    assert len(topic.run(look(both, chains=volumes(5), stores=UNREAD)).unexamined) == 1


def test_a_volume_without_a_size() -> None:
    lost = chain(size=None)
    result = topic.run(look(quotas(volume=GIB), chains=chains(lost)))
    assert (result.examined, codes(result)) == (0, [])
    assert [item.what for item in result.unexamined] == ["the size of vol-00000001"]


def test_limits_that_promise_more_than_the_store_holds() -> None:
    config = quotas(total=100 * GIB, snapshots_total=50 * GIB)
    assert codes(topic.run(look(config, chains=volumes(1), stores=(store(150 * GIB),)))) == []
    result = topic.run(look(config, chains=volumes(1), stores=(store(150 * GIB - 1),)))
    assert codes(result) == [("QUOTA_UNSAFE", "warning", "total")]
    recorded = cloud(one__storage__maxtotalvolumesizeingb=100, storage__global_total_snapshot_size_limit_gb=50)
    result = topic.run(look(chains=volumes(1), cloud=recorded, stores=(store(120 * GIB),)))
    assert result.findings[0].remedy.commands == ("euctl one.storage.maxtotalvolumesizeingb=70",)


def test_two_folders_on_one_file_system_are_counted_once() -> None:
    twice = (store(80 * GIB), store(80 * GIB, path="/srv", origin=StoreOrigin.CONFIGURED))
    assert codes(topic.run(look(quotas(total=100 * GIB), chains=volumes(1), stores=twice))) == [
        ("QUOTA_UNSAFE", "warning", "total")
    ]


def test_das_volumes_do_not_lie_in_the_store() -> None:
    one = chain("vol-00000001", GIB, backend=DAS)
    assert codes(topic.run(look(quotas(total=100 * GIB), chains=chains(one), stores=(store(GIB),)))) == []


def test_space_that_is_not_known() -> None:
    result = topic.run(look(quotas(total=100 * GIB), chains=volumes(1), stores=(store(space=UNREAD),)))
    assert (codes(result), [item.what for item in result.unexamined]) == ([], [STORE])


def account(**limits: object) -> Config:
    return quotas(accounts={"marketing": AccountLimits(**limits)})  # type: ignore[arg-type]


OWNED = ("vol-00000000", "vol-00000001", "SNAP-00000001")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"total": 12 * GIB}, []),
        ({"total": 11 * GIB}, ["QUOTA_TOTAL_NEAR"]),
        ({"total": 10 * GIB}, ["QUOTA_TOTAL_NEAR"]),
        ({"total": 9 * GIB}, ["QUOTA_TOTAL_EXCEEDED"]),
        ({"volumes": 3}, []),
        ({"volumes": 2}, ["QUOTA_TOTAL_NEAR"]),
        ({"volumes": 1}, ["QUOTA_TOTAL_EXCEEDED"]),
        ({"volumes": 1, "total": 11 * GIB}, ["QUOTA_TOTAL_EXCEEDED"]),
        ({"volumes": 1, "total": 9 * GIB}, ["QUOTA_TOTAL_EXCEEDED"]),
        ({"snapshots": 2}, []),
        ({"snapshots": 1}, ["QUOTA_SNAPSHOTS_NEAR"]),
        ({}, []),
    ],
)
def test_accounts(limits: dict[str, int], expected: list[str]) -> None:
    """Two volumes of 5 GiB and a snapshot are the account's, and a volume of 50 GiB is not."""
    held = store(10**15, file("snap-00000001", 5 * GIB, inode=1), file("snap-00000002", 5 * GIB, inode=2))
    result = topic.run(look(account(owns=OWNED, **limits), chains=volumes(5, 5, 50), stores=(held,)))
    assert [(name, subject) for name, _, subject in codes(result)] == [(code, "marketing") for code in expected]
    assert all(finding.subject.kind is SubjectKind.ACCOUNT for finding in result.findings)
    assert not result.unexamined


def test_an_account_says_what_and_where() -> None:
    config = account(owns=("vol-00000000", "vol-0000ffff"), total=4 * GIB, volumes=1, snapshots=1)
    result = topic.run(look(config, chains=volumes(5), stores=(store(),)))
    (finding,) = result.findings
    assert finding.code == "QUOTA_TOTAL_EXCEEDED"
    assert finding.summary == "account marketing has 5 GiB of 4 GiB"
    facts = dict(finding.evidence)
    assert (facts["used_bytes"], facts["limit_bytes"], facts["not_here"]) == (5 * GIB, 4 * GIB, ("vol-0000ffff",))
    assert "`quotas.accounts.marketing.total` in /etc/sctune/sctune.yaml" in finding.remedy.text


def test_snapshots_of_an_account_more_than_it_may_have() -> None:
    held = store(10**15, *(file(f"snap-0000000{number}", GIB, inode=number + 1) for number in range(3)))
    owns = tuple(f"snap-0000000{number}" for number in range(3))
    result = topic.run(look(account(owns=owns, snapshots=2), chains=volumes(1), stores=(held,)))
    assert codes(result) == [("QUOTA_SNAPSHOTS_EXCEEDED", "critical", "marketing")]
    assert "3 of 2 snapshots" in result.findings[0].summary


def test_an_account_of_which_not_all_is_seen_is_not_said_to_be_well() -> None:
    result = topic.run(look(account(owns=OWNED, total=100 * GIB), chains=volumes(5), stores=(store(files=UNREAD),)))
    assert (codes(result), [item.what for item in result.unexamined]) == ([], [STORE])


DEFAULTS = {"one__storage__maxtotalvolumesizeingb": 500, "storage__global_total_snapshot_size_limit_gb": 50}


@pytest.mark.parametrize(
    ("used", "recorded", "severity"),
    [
        (1, DEFAULTS, "info"),
        (50, DEFAULTS, "info"),
        (51, DEFAULTS, "warning"),
        (1, {**DEFAULTS, "storage__global_total_snapshot_size_limit_gb": 500}, None),
        (1, {**DEFAULTS, "storage__global_total_snapshot_size_limit_gb": 40}, None),  # somebody has set it
        (1, {**DEFAULTS, "one__storage__maxtotalvolumesizeingb": 50}, None),
        (1, {"storage__global_total_snapshot_size_limit_gb": 50}, None),
    ],
)
def test_the_trap_of_the_default_limit(used: int, recorded: dict[str, int], severity: str | None) -> None:
    result = topic.run(look(chains=volumes(used), cloud=cloud(**recorded), stores=(store(),)))
    assert codes(result) == ([("QUOTA_SNAPSHOTS_DEFAULT", severity, "snapshots_total")] if severity else [])


def test_a_limit_of_our_own_is_no_default() -> None:
    config = quotas(total=500 * GIB, snapshots_total=50 * GIB)
    assert codes(topic.run(look(config, chains=volumes(1), stores=(store(),)))) == []


def test_snapshots_at_the_default_limit_name_it() -> None:
    files = [file(f"snap-{number:08x}", GIB, inode=number + 1) for number in range(46)]
    result = topic.run(look(chains=volumes(1), cloud=cloud(**DEFAULTS), stores=(store(10**15, *files),)))
    near = next(finding for finding in result.findings if finding.code == "QUOTA_SNAPSHOTS_NEAR")
    assert near.summary.endswith("50 GiB, the default")
    assert dict(near.evidence)["default_limit"] is True


def test_the_limit_of_snapshots_before_4_0() -> None:
    files = [file(f"snap-{number:08x}", GIB, inode=number + 1) for number in range(46)]
    old = {"walrus__storagemaxtotalsnapshotsizeingb": 50}
    result = topic.run(look(chains=volumes(1), cloud=cloud("3.4.2", **old), stores=(store(10**15, *files),)))
    assert [code for code, _, _ in codes(result)] == ["QUOTA_SNAPSHOTS_NEAR"]
    result = topic.run(look(chains=volumes(1), cloud=cloud("4.0.2", **old), stores=(store(10**15, *files),)))
    assert [code for code, _, _ in codes(result)] == ["QUOTA_UNKNOWN"]


def test_limits_that_were_asked_for_say_whom() -> None:
    recorded = dataclasses.replace(cloud(one__storage__maxtotalvolumesizeingb=10), properties_source="euctl")
    result = topic.run(look(Config(properties="ask"), chains=volumes(12), cloud=recorded, stores=(store(),)))
    assert str(dict(result.findings[0].evidence)["source"]).startswith("euctl;")
