"""tgtd in the test machine, and exports made by bare tgtadm, as Eucalyptus makes them (TGTWrapper.java)."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT = "eucalyptus"
# A test value; nothing that is recorded or printed by the doctor may hold it.
SECRET = "vmLabSecret01234"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One target with one LUN. *acl* is what initiators are bound by ("" for nobody), *chap* whether the account is bound, *bstype*
    tgt's backing store type ("" for its default, rdwr), *lun* the LUN's number (None for a target with LUN 0 alone)."""

    iqn: str
    tid: int
    backing: str
    acl: str = "ALL"
    chap: bool = True
    bstype: str = ""
    lun: int | None = 1

    def lines(self) -> list[str]:
        """Target, LUN, account and ACL, in Eucalyptus' order."""
        tgtadm = f"tgtadm --lld iscsi --tid {self.tid}"
        lines = [f"{tgtadm} --op new --mode target -T {self.iqn}"]
        if self.lun is not None:
            kind = f" --bstype {self.bstype}" if self.bstype else ""
            lines.append(f"{tgtadm} --op new --mode logicalunit --lun {self.lun} -b {self.backing}{kind}")
        if self.chap:
            lines.append(f"{tgtadm} --op bind --mode account --user {ACCOUNT}")
        if self.acl:
            lines.append(f"{tgtadm} --op bind --mode target -I {self.acl}")
        return lines

    def remove(self) -> list[str]:
        """The target is taken away again; nobody is logged in any more."""
        tgtadm = f"tgtadm --lld iscsi --tid {self.tid}"
        lines = [f"{tgtadm} --op unbind --mode target -I {self.acl}"] if self.acl else []
        if self.lun is not None:
            lines.append(f"{tgtadm} --op delete --mode logicalunit --lun {self.lun}")
        return [*lines, f"{tgtadm} --op delete --mode target"]


def start(*, portal: str = "", account: bool = True) -> list[str]:
    """A new tgtd that knows the account and nothing else: targets made by bare tgtadm do not outlive their daemon."""
    options = f" --iscsi portal={portal}" if portal else ""
    lines = [f"tgtd{options}", "until tgtadm --mode sys --op show >/dev/null 2>&1; do sleep 0.1; done"]
    if account:
        lines.append(f"tgtadm --lld iscsi --op new --mode account --user {ACCOUNT} --password {SECRET}")
    return lines
