from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sctune.host.redact import redact_file
from sctune.model.lio_saved import LioSaved, SavedBackstore, SavedTarget
from sctune.probes.lio_saved import FILES, parse, probe
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.lio_hosts import DATA, FILE, FILE_IQN, FILE_STAT, INITIATOR, VOLUME, VOLUME_IQN

TEXT = (DATA / "saveconfig.json").read_text()
DEBIAN, OTHERS = FILES
SECRET = "a secret of many words"


def read(text: str = TEXT) -> LioSaved:
    saved = parse(text, OTHERS)
    assert isinstance(saved, LioSaved)
    return saved


def test_what_rtslib_saved() -> None:
    saved = read()
    assert saved.backstores == (
        SavedBackstore(plugin="fileio", name="file", path=FILE),
        SavedBackstore(plugin="iblock", name=VOLUME_IQN, path=f"/dev/lio/{VOLUME}"),
    )
    assert saved.targets == tuple(
        SavedTarget(iqn=iqn, tag=1, luns=((0, *store),), initiators=(INITIATOR,), authentication=True, generate_acls=False)
        for iqn, store in ((FILE_IQN, ("fileio", "file")), (VOLUME_IQN, ("iblock", VOLUME_IQN)))
    )


def test_no_secret_is_kept_or_captured() -> None:
    """Whatever record holds one: an ACL, a portal group, the discovery."""
    document = json.loads(TEXT)
    document["discovery_auth"] = document["targets"][0]["tpgs"][0]
    for record in (document, document["targets"][0]["tpgs"][0], document["targets"][1]["tpgs"][0]["node_acls"][0]):
        for name in ("chap_password", "chap_mutual_password", "discovery_password", "discovery_mutual_password"):
            record[name] = SECRET
    for indent in (None, 2):
        text = json.dumps(document, indent=indent)
        assert SECRET in text
        assert SECRET not in repr(read(text))
        assert SECRET not in redact_file(OTHERS, text)
        assert read(redact_file(OTHERS, text)) == read(text)
        broken = parse(text[:-3], OTHERS)
        assert isinstance(broken, Unavailable)
        assert SECRET not in repr(broken)


def test_the_file_that_was_written_last() -> None:
    host = FakeHost(files={DEBIAN: "{}", OTHERS: TEXT})
    host.stats = {DEBIAN: replace(FILE_STAT, mtime=1.0), OTHERS: replace(FILE_STAT, mtime=2.0), FILE: FILE_STAT}
    saved = probe(host)
    assert isinstance(saved, LioSaved)
    assert (saved.file, saved.saved) == (OTHERS, 2.0)
    kept = {store.name: store.stat for store in saved.backstores}
    assert kept["file"] == FILE_STAT
    gone = kept[VOLUME_IQN]
    assert isinstance(gone, Unavailable)
    assert gone.reason is Reason.ABSENT


def test_one_that_may_not_be_read_may_be_the_one_that_counts() -> None:
    denied = Unavailable(reason=Reason.DENIED, what=OTHERS)
    assert probe(FakeHost(files={DEBIAN: TEXT, OTHERS: denied})) == denied
    absent = probe(FakeHost())
    assert isinstance(absent, Unavailable)
    assert absent.reason is Reason.ABSENT


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["storage_objects", "targets", "tpgs", "luns", "node_acls", "attributes", "wwn", "fabric"]), inner
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_is_read(document: object) -> None:
    parse(json.dumps(document), OTHERS)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse(text, OTHERS)
