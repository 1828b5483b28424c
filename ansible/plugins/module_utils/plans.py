"""A plan of sctune's as Ansible shows a difference. Pure."""

from __future__ import annotations

VALUES = "values in force"


def of_profile(plan):
    """What applying the plan would change: the document of apply-profile in, a list of differences out."""
    found = []
    changing = [one for one in plan["settings"] if one["decision"] == "change"]
    if plan["live"] and changing:
        names = [_name(one) for one in changing]
        found.append(
            _difference(
                VALUES,
                _lines(zip(names, (one["current"] for one in changing))),
                _lines(zip(names, (one["wanted"] for one in changing))),
            )
        )
    for one in plan["files"]:
        if one["decision"] == "change":
            found.append(_difference(one["path"], one["before"] or "", one["after"] or ""))
    if plan["tuned"] and plan["tuned"]["before"] != plan["tuned"]["after"]:
        found.append(_difference("tuned's profile", _line(plan["tuned"]["before"]), _line(plan["tuned"]["after"])))
    if plan["iscsi"]:
        found += _iscsi(plan["iscsi"])
    return found


def _iscsi(plan):
    found = []
    if plan["difference"]:
        found.append({"prepared": "".join(line if line.endswith("\n") else line + "\n" for line in plan["difference"])})
    places = {}
    for one in plan["settings"]:
        if one["decision"] == "change" and one["place"] != "file":
            places.setdefault(one["where"], []).append(one)
    for where, settings in places.items():
        keys = [one["key"] for one in settings]
        found.append(
            _difference(
                where,
                _lines(zip(keys, (one["current"] for one in settings))),
                _lines(zip(keys, (one["wanted"] for one in settings))),
            )
        )
    return found


def changes_of(plan):
    """What applying the plan would change, a line each: values, files, and what tuned and open-iscsi are told."""
    settings = [one for one in plan["settings"] if one["decision"] == "change" and plan["live"]]
    lines = [f"{_name(one)}: {one['current']} -> {one['wanted']}" for one in settings]
    lines += [one["path"] for one in plan["files"] if one["decision"] == "change"]
    if plan["tuned"] and plan["tuned"]["before"] != plan["tuned"]["after"]:
        lines.append(f"tuned: {plan['tuned']['before']} -> {plan['tuned']['after']}")
    for one in (plan["iscsi"] or {}).get("settings", []):
        if one["decision"] == "change":
            lines.append(f"{one['key']} of {one['where']}: {one['current']} -> {one['wanted']}")
    return lines


def of_rollback(plan, content):
    """What rolling back a transaction would change, or has: the document of rollback in. `content` gives a file's text, of those
    that sctune made."""
    found = []
    steps = [one for one in reversed(plan["steps"]) if one["outcome"] in ("restore", "back")]
    values = [one for one in steps if one["action"] == "set"]
    if values:
        names = [one["setting"] for one in values]
        found.append(
            _difference(
                VALUES,
                _lines(zip(names, (one["after"] for one in values))),
                _lines(zip(names, (one["before"] for one in values))),
            )
        )
    for one in steps:
        if one["action"] == "make":
            found.append(_difference(one["path"], content(one["path"]), ""))
        elif one["action"] in ("replace", "remove"):
            found.append({"prepared": f"{one['path']}: as it was before transaction {plan['transaction']}\n"})
    return found


def settled(plan, newer):
    """The plan of a rollback as it will be when the `newer` ones are done: what one of those has set again was not changed by
    somebody else."""
    theirs = {(one["path"], one["before"]) for done in newer for one in done["steps"] if one["outcome"] == "restore"}
    steps = [
        dict(one, outcome="restore", detail=None) if one["outcome"] == "left" and (one["path"], one["after"]) in theirs else one
        for one in plan["steps"]
    ]
    return dict(plan, steps=steps)


def _name(setting):
    key, subject = setting["key"], setting["subject"]
    return key if subject in ("", key) or subject == key.partition(".")[2] else f"{key} of {subject}"


def _lines(pairs):
    return "".join(f"{name} = {'' if value is None else value}\n" for name, value in pairs)


def _line(text):
    return f"{text}\n" if text else ""


def _difference(header, before, after):
    return {"before_header": header, "after_header": header, "before": before, "after": after}
