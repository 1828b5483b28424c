"""Secrets never survive, whatever form they stand in; what is no secret does."""

from __future__ import annotations

import io
import json
import shlex
import tarfile
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed, DmQuery, Process, TgtMode
from sctune.host.bundle import write_bundle
from sctune.host.masking import MASK
from sctune.host.recording import RecordingHost
from sctune.host.redact import redact_argv, redact_file, redact_text
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Printable ASCII that can stand in every one of the forms unquoted; a marker keeps it from being a part of something else.
PLAIN = "".join(chr(c) for c in range(33, 127) if chr(c) not in "\"'\\,@<>`")
plain_secrets = st.text(PLAIN, min_size=1, max_size=24).map(lambda text: "zQ7" + text + "Xk")
any_secrets = st.text(
    st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs", "Zl", "Zp"]), min_size=1, max_size=24
).map(lambda text: "zQ7" + text + "Xk")

FILES: dict[str, tuple[str, Callable[[str], str]]] = {
    "iscsid.conf": ("/etc/iscsi/iscsid.conf", lambda s: f"node.startup = manual\nnode.session.auth.password = {s}\n"),
    "iscsid.conf mutual": ("/etc/iscsi/iscsid.conf", lambda s: f"  node.session.auth.password_in={s}  \n"),
    "iscsid.conf commented": ("/etc/iscsi/iscsid.conf", lambda s: f"#node.session.auth.password = {s}\n"),
    "discovery": ("/var/lib/iscsi/send_targets/x/st_config", lambda s: f"discovery.sendtargets.auth.password = {s}\r\n"),
    "node record": ("/etc/iscsi/nodes/iqn.x/10.0.0.1,3260,1/default", lambda s: f"node.session.auth.password = {s}"),
    "sysfs": ("/sys/class/iscsi_session/session1/password", lambda s: f"{s}\n"),
    "sysfs mutual": ("/sys/class/iscsi_session/session1/password_in", lambda s: f"{s}\n"),
    "configfs": ("/sys/kernel/config/target/iscsi/iqn.x/tpgt_1/acls/iqn.y/auth/password_mutual", lambda s: s),
    "targets.conf": ("/etc/tgt/targets.conf", lambda s: f"<target iqn.x>\n    incominguser eucalyptus {s}\n</target>\n"),
    "targets.conf quoted": ("/etc/tgt/conf.d/a.conf", lambda s: f'IncomingUser "a name"\t"{s}" # why\n'),
    "targets.conf out": ("/etc/tgt/conf.d/a.conf", lambda s: f"outgoinguser = me {s}\n"),
    "targets.conf continued": ("/etc/tgt/conf.d/a.conf", lambda s: f"  incominguser \\\n  me \\\n  {s}\n"),
    "saveconfig": ("/etc/rtslib-fb-target/saveconfig.json", lambda s: json.dumps({"chap_userid": "u", "chap_password": s})),
    "saveconfig mutual": (
        "/etc/target/saveconfig.json",
        lambda s: json.dumps({"a": [{"chap_mutual_password": s, "node_wwn": "iqn"}]}, indent=2, ensure_ascii=False),
    ),
    "saveconfig cut off": ("/etc/target/saveconfig.json", lambda s: json.dumps({"chap_password": s}).rstrip('"}')),
    "properties": ("/root/properties", lambda s: f"PROPERTY\tPARTI00.storage.sanpassword\t{s}\n"),
    "euctl": ("/root/properties", lambda s: f"PARTI00.storage.sanpassword = {s}\n"),
    "s3 key": ("/root/properties", lambda s: f"PROPERTY\tobjectstorage.s3provider.s3secretkey\t{s}\n"),
    "ldap": (
        "/root/properties",
        lambda s: "PROPERTY\tauthentication.ldap_integration_configuration\t" + json.dumps({"x": {"auth-credentials": s}}) + "\n",
    ),
    "json in json": (
        "/etc/x.json",
        lambda s: json.dumps({"config": json.dumps({"api_key": s.replace("\\", "").replace('"', "")})}),
    ),
    "list": ("/etc/x.json", lambda s: json.dumps({"secrets": [s.replace("]", "")], "b": 1})),
}
ARGUMENTS: dict[str, Callable[[str], list[str]]] = {
    "tgtadm": lambda s: ["tgtadm", "--lld", "iscsi", "--op", "new", "--mode", "account", "--user", "u", "--password", s],
    "tgtadm =": lambda s: ["tgtadm", "--mode", "account", f"--password={s}"],
    "tgtadm abbreviated": lambda s: ["/usr/sbin/tgtadm", "--passw", s],
    "tgtadm -p": lambda s: ["/usr/sbin/tgtadm", "-p", s],
    "tgtadm -pX": lambda s: ["tgtadm", f"-p{s}"],
    "rootwrap": lambda s: ["/usr/lib/eucalyptus/euca_rootwrap", "tgtadm", "--password", s],
    "iscsiadm": lambda s: ["iscsiadm", "-m", "node", "-o", "update", "-n", "node.session.auth.password", "-v", s],
    "iscsiadm long": lambda s: ["iscsiadm", "--op=update", f"--value={s}", "--name=node.session.auth.password_in"],
    "iscsiadm attached": lambda s: ["/sbin/iscsiadm", "-nnode.session.auth.password", f"-v{s}"],
    "targetcli": lambda s: ["targetcli", "/iscsi/iqn.x/tpg1/acls/iqn.y", "set", "auth", "userid=u", f"password={s}"],
    "nvme": lambda s: ["nvme", "connect", f"--dhchap-secret={s}"],
    "qemu": lambda s: ["qemu-system-x86_64", "-object", f"secret,id=sec0,data={s}"],
    "shell": lambda s: ["sh", "-c", f"tgtadm --op new --mode account --password {shlex.quote(s)} && echo done"],
    "title": lambda s: [f"tgtadm --mode account --password {shlex.quote(s)}"],
}


@given(secret=any_secrets, form=st.sampled_from(sorted(FILES)))
def test_no_file_keeps_its_secret(secret: str, form: str) -> None:
    path, write = FILES[form]
    text = write(secret)
    redacted = redact_file(path, text)
    assert secret not in redacted
    assert "zQ7" not in redacted
    assert MASK in redacted
    assert redact_file(path, redacted) == redacted


@given(secret=any_secrets, form=st.sampled_from(sorted(ARGUMENTS)))
def test_no_command_line_keeps_its_secret(secret: str, form: str) -> None:
    argv = ARGUMENTS[form](secret)
    redacted = redact_argv(argv)
    assert "zQ7" not in " ".join(redacted)
    assert len(redacted) == len(argv)
    assert redact_argv(redacted) == redacted


@given(secret=plain_secrets, form=st.sampled_from(sorted(ARGUMENTS)))
def test_no_line_about_a_command_keeps_its_secret(secret: str, form: str) -> None:
    line = "failed: " + shlex.join(ARGUMENTS[form](secret)) + "\nnext line stays\n"
    redacted = redact_text(line)
    if form not in ("qemu",):
        assert "zQ7" not in redacted
    assert redacted.endswith("next line stays\n")


@given(secret=plain_secrets)
def test_secrets_in_urls_boot_lines_and_tables(secret: str) -> None:
    for text in (
        f"iscsi://user%{secret}@10.0.0.1/iqn.x/1",
        f"https://user:{secret}@host/path",
        f"BOOT_IMAGE=/vmlinuz rd.iscsi.password={secret} ro",
        f"root=/dev/sda netroot=iscsi:u:{secret}@10.0.0.1::3260:1:iqn.x ro",
        f"vg-lv: 0 100 crypt aes-xts-plain64 {secret.replace(':', '').replace('-', '')} 0 8:1 0",
        f"a: 0 100 integrity 8:1 0 32 J 2 internal_hash:hmac(sha256):{secret} block_size:512",
        f"-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----",
        f"DHHC-1:00:{secret}:",
    ):
        assert "zQ7" not in redact_text(text), text


@pytest.mark.parametrize(
    "text",
    [
        "node.session.auth.password = <empty>\nnode.session.auth.password_in = ********\n",
        "#node.session.auth.username = username\nnode.session.timeo.replacement_timeout = 120\n",
        '{"chap_password": "", "chap_mutual_password": null}',
        "overlay /var/lib/x overlay rw,lowerdir=/var/secrets:/y,upperdir=/z 0 0\n",
        "10.0.0.1:/ /mnt ceph rw,relatime,name=admin,secret=<hidden>,acl 0 0\n",
        "tmpfs /var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/token tmpfs rw,size=4k 0 0\n",
        "vg-lv: 0 100 crypt aes-xts-plain64 :32:logon:cryptsetup:x 0 8:1 0\n",
        "vg-lv: 0 100 linear 7:0 2048\n",
        "    Account information:\n        eucalyptus\n",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_only_the_value_is_masked() -> None:
    assert redact_text("a,password=s,uid=0 0 0\n") == f"a,password={MASK},uid=0 0 0\n"
    assert redact_text("incominguser name s e c\nallow ALL\n") == f"incominguser name {MASK}\nallow ALL\n"
    assert redact_file("/sys/class/iscsi_session/session1/password", "(null)\n") == "(null)\n"
    assert redact_file("/etc/passwd", "tgt:x:100:100::/:/bin/false\n") == "tgt:x:100:100::/:/bin/false\n"
    assert redact_argv(["iscsiadm", "-m", "node", "-p", "10.0.0.1:3260"]) == ("iscsiadm", "-m", "node", "-p", "10.0.0.1:3260")
    assert redact_argv(["mkdir", "-p", "/a", "--parents"]) == ("mkdir", "-p", "/a", "--parents")
    assert redact_argv(["tgt-admin", "-p", "-e"]) == ("tgt-admin", "-p", "-e")
    assert redact_argv([]) == ()


@given(st.lists(st.text(max_size=30), max_size=6))
def test_argv_of_any_kind_is_answered(argv: list[str]) -> None:
    redacted = redact_argv(argv)
    assert len(redacted) == len(argv)
    assert redact_argv(redacted) == redacted


@given(st.text(max_size=300))
def test_text_of_any_kind_is_answered_and_stable(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


PIECES = st.sampled_from(
    [
        "password",
        "secret",
        "=",
        ":",
        '"',
        "\\",
        "'",
        " ",
        "\n",
        "incominguser ",
        "--pas",
        "tgtadm ",
        "-p",
        "x",
        "[",
        "]",
        "://",
        "@",
        ",",
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_text_made_of_traps_is_answered(text: str) -> None:
    once = redact_text(text)
    assert once.count("\n") <= text.count("\n")
    redact_argv(text.split(" "))


@pytest.mark.parametrize("piece", ["pass", "password", "http://", 'secret="', '"secret":\\"', "incominguser ", "\\", "tgtadm -p"])
def test_cost_grows_with_the_text_only(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece)) + " password"
        began = time.process_time()
        redact_text(text)
        return time.process_time() - began

    seconds(1000)
    assert seconds(200_000) < 3.0


@given(secret=plain_secrets, form=st.sampled_from(sorted(FILES)), arguments=st.sampled_from(sorted(ARGUMENTS)))
def test_no_secret_is_in_the_bytes_of_a_capture(
    tmp_path_factory: pytest.TempPathFactory, secret: str, form: str, arguments: str
) -> None:
    path, write = FILES[form]
    argv = ARGUMENTS[arguments](secret)
    said = f"iscsiadm: node.session.auth.password = {secret}\n"
    refused = Unavailable(reason=Reason.FAILED, what=shlex.join(argv) if arguments != "qemu" else "qemu", detail=said.strip())
    process = Process(pid=1, ppid=0, name="x", state="S", argv=tuple(argv), started=1.0, cpu_seconds=0.0, uid=0)
    fake = FakeHost(
        files={path: write(secret), "/etc/refused": refused},
        table=(process,),
        commands={tuple(argv): Completed(argv=tuple(argv), status=1, stdout=said, stderr=said, seconds=0.1), ("x",): refused},
        dm_answers={DmQuery.TABLE: f"a: 0 8 crypt aes {secret.replace(':', '').replace('-', '')} 0 8:1 0\n"},
        tgt_answers={(TgtMode.TARGET, 0, None): f"password: {secret}\n", (TgtMode.SYSTEM, 0, None): refused},
    )
    host = RecordingHost(fake)
    host.read(path)
    host.read("/etc/refused")
    host.processes()
    host.run(argv, timeout=1)
    host.run(["x"], timeout=1)
    host.dm(DmQuery.TABLE)
    host.tgt(TgtMode.TARGET)
    host.tgt(TgtMode.SYSTEM)
    data = _bytes_of(host, tmp_path_factory.mktemp("capture"))
    assert b"zQ7" not in data
    assert secret.encode() not in data


def _bytes_of(host: RecordingHost, folder: Path) -> bytes:
    place = folder / "capture.tar"
    write_bundle(host.answers(), str(place))
    data = place.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert "capture.json" in tar.getnames()
    return data
