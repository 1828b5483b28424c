"""The settings of open-iscsi that a profile may give, and when two values of one are the same. Pure.

Names and defaults: open-iscsi usr/idbm_fields.h, usr/iscsi_settings.h and usr/idbm.c (idbm_node_setup_defaults), the same in
2.0.873 and 2.1.11. The defaults are those compiled in, which hold where neither iscsid.conf nor a record says anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT
from sctune.probes.iscsid_conf import c_integer
from sctune.records import dataclass
from sctune.tuning.value import signed_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.tuning.schema import Setting as ProfileSetting

_LARGEST = 2**31 - 1
_LONGEST = 20
NOOP = (INTERVAL, TIMEOUT)
ABORT = "node.session.err_timeo.abort_timeout"
LU_RESET = "node.session.err_timeo.lu_reset_timeout"
QUEUE_DEPTH = "node.session.queue_depth"
CMDS_MAX = "node.session.cmds_max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its compiled default and its bounds. `unit` is "s" for seconds, "" for a number. Where `for_ever`, every
    negative value means to wait for ever."""

    name: str
    default: int
    unit: str = "s"
    least: int = 0
    most: int = _LARGEST
    for_ever: bool = False

    @property
    def short(self) -> str:
        """The last part of its name."""
        return self.name.rsplit(".", 1)[1]

    def words(self, value: int) -> str:
        """A value for people."""
        if self.for_ever and value < 0:
            return "for ever"
        return f"{value} {self.unit}".rstrip()


_ALL = (
    Setting(name=REPLACEMENT, default=120, least=-1, for_ever=True),
    Setting(name=INTERVAL, default=5),
    Setting(name=TIMEOUT, default=5),
    Setting(name="node.conn[0].timeo.login_timeout", default=30, least=1),
    Setting(name="node.conn[0].timeo.logout_timeout", default=15, least=1),
    Setting(name=ABORT, default=15),
    Setting(name=LU_RESET, default=30),
    Setting(name="node.session.err_timeo.tgt_reset_timeout", default=30),
    Setting(name="node.session.err_timeo.host_reset_timeout", default=60),
    Setting(name="node.session.initial_login_retry_max", default=4, unit=""),
    Setting(name=CMDS_MAX, default=128, unit="", least=2, most=2048),
    Setting(name=QUEUE_DEPTH, default=32, unit="", least=1, most=1024),
)
SETTINGS: dict[str, Setting] = {one.name: one for one in _ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One value that a profile wants, why, and where that is from."""

    name: str
    value: int
    why: str
    source: str

    @property
    def setting(self) -> Setting:
        """What is known of the setting."""
        return SETTINGS[self.name]


def wanted(name: str, value: int, *, why: str, source: str) -> Wanted:
    """A checked `Wanted`. Raises UserError for a setting that is not known here and for a value that open-iscsi would refuse."""
    setting = SETTINGS.get(name)
    if setting is None:
        raise UserError(f"{name} is no setting of open-iscsi that a profile may give", f"known are {', '.join(SETTINGS)}")
    if not setting.least <= value <= setting.most:
        raise UserError(f"{name}: {value} is not between {setting.least} and {setting.most}")
    if name == CMDS_MAX and value & (value - 1):
        raise UserError(f"{name}: {value} is no power of 2")
    return Wanted(name=name, value=value, why=why, source=source)


def wanted_of(settings: Iterable[ProfileSetting]) -> tuple[Wanted, ...]:
    """The values of a profile's iSCSI settings. Raises UserError, with the place in the profile, for one that cannot be."""
    made = []
    for one in settings:
        (text,) = one.value.choices
        value = signed_number(text)
        if value is None:
            raise UserError(f"{one.place}: {one.key}: expected a whole number, got {text!r}")
        try:
            made.append(wanted(one.name, value, why=one.why, source=one.source))
        except UserError as error:
            raise UserError(f"{one.place}: {error.message}", error.hint) from None
    return tuple(made)


def same(name: str, one: int, other: int) -> bool:
    """Whether two values do the same: all negative replacement timeouts are one."""
    if SETTINGS[name].for_ever:
        return max(one, -1) == max(other, -1)
    return one == other


def number(text: str) -> int:
    """What open-iscsi makes of a setting's text (strtoul(3) into an int)."""
    return c_integer(text)


def of_kernel(value: int) -> str:
    """How the kernel wants recovery_tmo, which takes no negative number (drivers/scsi/scsi_transport_iscsi.c)."""
    return "off" if value < 0 else str(value)
