"""cinder.conf as oslo.config reads it, kept free of secrets, and the files in volumes_dir."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.cinder_conf import options, reduce
from sctune.host.redact import redact_file
from sctune.model.cinder import Cinder, CinderBackend
from sctune.probes.cinder import CONFIGURATIONS, KOLLA, LVM_CONF, lvm_settings, parse_backends, probe
from sctune.script.generate import script
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DIST, SITE = CONFIGURATIONS
VOLUMES = "/var/lib/cinder/volumes"
UUID = "2f0d5f0e-6a55-4a3b-9a0e-0c8f3f4b1a2d"
IQN = f"iqn.2010-10.org.openstack:volume-{UUID}"
SECRET = "zQ7vN3xK9pLm2sWd"
# The install guide's file for Debian, the secrets replaced; a second back end and one that is no LVM.
CONF = f"""[DEFAULT]
rootwrap_config = /etc/cinder/rootwrap.conf
# enabled_backends = old
enabled_backends = lvm, lvm-2,ceph
transport_url = rabbit://openstack:{SECRET}@controller
auth_strategy = keystone
state_path = /srv/cinder
volume_group = ignored-with-enabled_backends

[database]
connection = mysql+pymysql://cinder:{SECRET}@controller/cinder

[keystone_authtoken]
username = cinder
password = {SECRET}
some_plugins_word = {SECRET}
volume_group = nobody-reads-this-section

[lvm]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_group = cinder-volumes
target_protocol = iscsi
target_helper = tgtadm
san_login =
    {SECRET}

[LVM-2]
volume_driver: cinder.volume.drivers.lvm.LVMVolumeDriver
volume_group = "fast"
target_helper = lioadm
volumes_dir = ${{state_path}}/other

[ceph]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_group = none
"""
STANZA = f"""
<target {IQN}>
    backing-store /dev/cinder-volumes/volume-{UUID}
    driver iscsi
    incominguser aB3dE5fG7hJ9kL1mN2pQ {SECRET}

    write-cache on
    scsi_sn volume-{UUID}
    scsi_id volume-{UUID}
</target>
"""


def backend(**facts: str) -> CinderBackend:
    values = {
        "section": "lvm",
        "volume_group": "cinder-volumes",
        "lvm_type": "auto",
        "lvm_conf_file": LVM_CONF,
        "target_helper": "tgtadm",
        "target_prefix": "iqn.2010-10.org.openstack:",
        "volumes_dir": VOLUMES,
    }
    return CinderBackend(**(values | facts))


def found(files: dict[str, str | Unavailable]) -> Cinder:
    answer = probe(FakeHost(files=files))
    assert isinstance(answer, Cinder), answer
    return answer


def test_the_back_ends_of_the_install_guide() -> None:
    assert parse_backends([CONF]) == (
        backend(volumes_dir="/srv/cinder/volumes"),
        backend(section="lvm-2", volume_group="fast", target_helper="lioadm", volumes_dir="/srv/cinder/other"),
    )


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([""], backend(section="DEFAULT")),
        (["[DEFAULT]\nvolume_group=a\nvolume_group=b\n"], backend(section="DEFAULT", volume_group="b")),
        (["[DEFAULT]\niscsi_helper=lioadm\n"], backend(section="DEFAULT", target_helper="lioadm")),
        (["[DEFAULT]\nvolumes_dir=$state_path/v\n[DEFAULT]\nstate_path=/x\n"], backend(section="DEFAULT", volumes_dir="/x/v")),
        (
            ["[DEFAULT]\nstate_path=/dist\n", "[DEFAULT]\nstate_path=/site\n"],
            backend(section="DEFAULT", volumes_dir="/site/volumes"),
        ),
        (["[DEFAULT]\nenabled_backends=lvm\n[backend_defaults]\nvolume_group=all\n"], backend(volume_group="all")),
        (["[DEFAULT]\nenabled_backends=lvm\nvolume_group=x\n"], backend()),
        (["[DEFAULT]\nvolumes_dir=$volumes_dir/$$\n"], None),
    ],
)
def test_where_an_option_counts(texts: list[str], expected: CinderBackend | None) -> None:
    (one,) = parse_backends(texts)
    assert expected is None or one == expected


def test_no_lvm_no_back_end() -> None:
    assert parse_backends(["[DEFAULT]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\n"]) == ()


def test_a_whole_host() -> None:
    cinder = found(
        {SITE: CONF.replace("state_path = /srv/cinder\n", ""), f"{VOLUMES}/volume-{UUID}": STANZA, LVM_CONF: "devices {\n}\n"}
    )
    assert (cinder.files, cinder.unread, cinder.lvm_configuration) == ((SITE,), (), LVM_CONF)
    (folder,) = cinder.folders
    assert folder.path == VOLUMES
    assert not isinstance(folder.files, Unavailable)
    (file,) = folder.files
    (target,) = file.targets
    assert (file.volume, target.iqn, target.chap, target.scsi_ids) == (UUID, IQN, True, (f"volume-{UUID}",))
    assert SECRET not in repr(cinder)
    assert "aB3dE5fG7hJ9kL1mN2pQ" not in repr(cinder)


def test_kollas_configuration_is_the_containers() -> None:
    folder = "/var/lib/docker/volumes/cinder/_data/volumes"
    cinder = found(
        {KOLLA: "[DEFAULT]\nenabled_backends = lvm-1\n[lvm-1]\nvolume_group = cinder-volumes\n", f"{folder}/volume-{UUID}": STANZA}
    )
    assert [one.section for one in cinder.backends] == ["lvm-1"]
    assert [one.path for one in cinder.folders] == [folder]


def test_what_may_not_be_read_is_said() -> None:
    denied = Unavailable(reason=Reason.DENIED, what=SITE)
    cinder = found({SITE: denied})
    assert (cinder.unread, cinder.backends) == ((denied,), ())
    nothing = probe(FakeHost())
    assert isinstance(nothing, Unavailable)
    assert nothing.reason is Reason.ABSENT


def test_of_the_configuration_no_secret_is_kept() -> None:
    kept = redact_file(SITE, CONF)
    assert SECRET not in kept
    assert "rabbit" not in kept
    assert parse_backends([kept]) == parse_backends([CONF])
    assert redact_file("/etc/tgt/conf.d/cinder.conf", f"include {VOLUMES}/*\n") == f"include {VOLUMES}/*\n"
    assert redact_file(f"{VOLUMES}/volume-{UUID}", STANZA).count(SECRET) == 0


@pytest.mark.spawns
@pytest.mark.parametrize("awk", [name for name in ("mawk", "gawk", "busybox awk", "original-awk") if shutil.which(name.split()[0])])
def test_the_script_keeps_no_secret_of_it_either(awk: str) -> None:
    program = script("0.1.0").split('options_of() {\n    head -c 4194305 "$1" | awk \'\n', 1)[1].split("'\n", 1)[0]
    done = subprocess.run([*awk.split(), program], input=CONF, capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    assert SECRET not in done.stdout
    assert list(options(done.stdout)) == list(options(CONF))


@given(
    st.lists(
        st.sampled_from([*CONF.splitlines(), " x", "[", "]", "=", "volume_group", "\tstate_path=/x", "[ DEFAULT ]"]), max_size=12
    )
)
def test_what_is_kept_says_the_same(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert list(options(reduce(text))) == list(options(text))
    assert parse_backends([reduce(text)]) == parse_backends([text])


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    parse_backends([text])
    assert reduce(reduce(text)) == reduce(text)


def test_the_second_lvm_conf() -> None:
    text = """# devices {
devices {
    filter = [ "a/sdb/",   # the VG's "own" disk
               "r|.*[0-9]#|", ]
    scan_lvs = 0
    # global_filter = [ "r/x/" ]
}
"""
    cinder = found({SITE: "[DEFAULT]\n", LVM_CONF: text})
    assert cinder.lvm_settings is not None
    assert (cinder.lvm_settings.filter, cinder.lvm_settings.scan_lvs) == (("a/sdb/", "r|.*[0-9]#|"), False)
    assert cinder.lvm_settings.global_filter == ()
    assert lvm_settings("devices {\n}\n") is None
    assert lvm_settings("devices {\n scan_lvs = maybe\n}\n") is None


@given(st.text(alphabet='ab "\\\\#[]{}=\\n1', max_size=60))
def test_any_second_lvm_conf(text: str) -> None:
    lvm_settings(text)
