"""Tuning of open-iscsi's initiator: iscsid.conf, the node records, live sessions, and what multipath makes of them."""
