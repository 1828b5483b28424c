"""`sctune capture --script`: a POSIX sh script that records, on a host without Python, what the probes would ask there.

Its questions are not a list that somebody keeps: `plan` runs every part of the inventory on a host that has something of everything
(`sample`) and writes down what was asked. `generate` puts them into `capture.sh`; `sctune.host.script_text` reads what that wrote.
"""
