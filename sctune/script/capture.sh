#!/bin/sh
# sctune-capture.sh, made by "sctune capture --script" of sctune @VERSION@.
#
# Records what a host that serves block volumes says of itself, for "sctune doctor --from FILE" on another machine. It needs a POSIX
# shell, awk, sed, coreutils of 2009 or later, and what of LVM, tgt and open-iscsi there is. It changes nothing, writes only
# the file it is told, and masks secrets before it writes them. Nothing that hangs stops it: what does not answer is left.
#
#   sh sctune-capture.sh [-o FILE] [-s FOLDER]... [-t SECONDS]
#
#   -o FILE      what to write, new (default: ./sctune-capture-HOST-TIME.txt); "-" is standard output, packed, for "sctune doctor --host"
#   -s FOLDER    a further folder that holds volumes
#   -t SECONDS   when to stop asking at the latest (default: 120)

set -u
umask 077
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
LVM_SUPPRESS_FD_WARNINGS=1
LVM_SUPPRESS_SYSLOG=1
SYSTEMD_PAGER=
export LC_ALL PATH LVM_SUPPRESS_FD_WARNINGS LVM_SUPPRESS_SYSLOG SYSTEMD_PAGER
unset IFS CDPATH ENV BASH_ENV 2>/dev/null
TAB=$(printf '\t')
NL='
'
OUT=
STORES=
LIMIT=120
while getopts o:s:t:h OPTION; do
    case $OPTION in
        o) OUT=$OPTARG ;;
        s) STORES=$STORES$OPTARG$NL ;;
        t) LIMIT=$OPTARG ;;
        *) echo "usage: sh sctune-capture.sh [-o FILE] [-s FOLDER]... [-t SECONDS]" >&2; exit 2 ;;
    esac
done
case $LIMIT in '' | *[!0-9]*) echo "sctune-capture: -t wants seconds" >&2; exit 2 ;; esac
for TOOL in awk sed stat ls head tr date id uname mv rm; do
    command -v "$TOOL" >/dev/null 2>&1 || { echo "sctune-capture: there is no $TOOL here" >&2; exit 1; }
done
NODE=$(uname -n)
[ -n "$OUT" ] || OUT=./sctune-capture-$NODE-$(date +%Y%m%dT%H%M%S).txt
JOB= NAMED=
trap '[ -z "$NAMED" ] || rm -f "$NAMED"; [ -z "$JOB" ] || kill "$JOB" 2>/dev/null' EXIT
trap 'exit 130' HUP INT TERM
set -C
if [ "$OUT" = - ]; then
    # In memory where that can be.
    for FOLDER in /dev/shm /run /tmp /var/tmp; do
        PART=$FOLDER/.sctune-capture-$$
        (: >"$PART") 2>/dev/null && NAMED=$PART && break
    done
    [ -n "$NAMED" ] || { echo "sctune-capture: there is no folder to keep the answers in meanwhile" >&2; exit 1; }
else
    # What begins with a dash would be an option to mv.
    case $OUT in /* | ./* | ../*) ;; *) OUT=./$OUT ;; esac
    if [ -e "$OUT" ] || [ -L "$OUT" ]; then echo "sctune-capture: $OUT exists" >&2; exit 1; fi
    PART=$OUT.part
    (: >"$PART") 2>/dev/null || { echo "sctune-capture: cannot write $PART, or it exists" >&2; exit 1; }
    NAMED=$PART
fi
set +C
# Not before us: standard input may be this script.
exec 3>>"$PART"
# Without a name nothing is left behind, whatever ends us.
if [ "$OUT" = - ] && [ -r "/proc/$$/fd/3" ]; then
    rm -f "$NAMED"
    PART=/proc/$$/fd/3 NAMED=
fi
USERID=$(id -u)
TICK=1 TICKS_OF_A_JOB='1 1'
sleep 0.002 2>/dev/null && TICK=0.05 TICKS_OF_A_JOB='0.002 0.002 0.004 0.006 0.01 0.01 0.015 0.02 0.03 0.05'
MARK=$(printf '\001')$$.

# --- time, words -------------------------------------------------------------------------------------------------------------

# now: NOW in seconds since boot with two decimals, SECOND without. /proc/uptime costs no process.
now() { read -r NOW _ </proc/uptime; SECOND=${NOW%.*}; }
now
END=$((SECOND + LIMIT))

# enc TEXT: E is the text with %, tab and line end as %XX.
enc() {
    E=$1
    case $E in *[%"$TAB$NL"]*) ;; *) return ;; esac
    REST=$1 E=
    while :; do
        case $REST in *[%"$TAB$NL"]*) ;; *) break ;; esac
        HEAD=${REST%%[%"$TAB$NL"]*}
        REST=${REST#"$HEAD"}
        case $REST in %*) CODE=%25 ;; "$TAB"*) CODE=%09 ;; *) CODE=%0A ;; esac
        E=$E$HEAD$CODE
        REST=${REST#?}
    done
    E=$E$REST
}

no() { enc "$2"; K=$E; enc "${4:-}"; printf 'no\t%s\t%s\t%s\t%s\n' "$1" "$K" "$3" "$E" >&3; }

# --- what is secret ----------------------------------------------------------------------------------------------------------

# Every line that is recorded goes through this: "|" and the line, secrets masked. The last line of the input is "=STATUS" behind
# a line end of its own; it becomes ".<tab>STATUS", with "<tab>-" where the text had no final line end. With `many` there are several
# texts; what begins with that mark is a line between two of them, or ">" and a complaint. Masks too much rather
# than too little (old busybox takes "NAME (" for a call): all that follows the name of a secret, to the end of the line, of the string, of the key.
MASKING='
BEGIN {
    MASK = "********"
    WORD = "passw(or)?d|passphrase|passcode|secret|credential|dhchap_(ctrl_)?key|(private|secret|access|api|encryption|shared)[_-]?key|(auth|api|access|bearer|session)[_-]?token|ldap_integration_configuration|--?pas[a-z]*"
    TRAP = WORD "|coming *user|going *user|incominguser|outgoinguser|://|root=iscsi:|dhhc-1:|tgtadm|[ :]crypt |internal_hash:|journal_crypt:|journal_mac:|begin [a-z ]*private key"
    most = 33554432
}
function unset_value(v) {
    gsub(/^[ \t"\047\\=:]+|[ \t"\047\\,;\r]+$/, "", v)
    return v == "" || v == "<empty>" || v == "<hidden>" || v == "(null)" || v == "NULL" || v == "null" || v == "none" || v == "None" || v == "true" || v == "false" || v == MASK
}
function masked(s,    l, head, tail, rest, q) {
    if (key) { if (s ~ /-----END/) key = 0; return MASK }
    if (open != "") { if (index(s, open)) open = ""; return MASK }
    if (joined) { joined = (s ~ /\\\r?$/); return joined ? MASK "\\" : MASK }
    l = tolower(s)
    if (l !~ TRAP) return s
    if (l ~ /-----begin [a-z ]*private key/) { key = (l !~ /-----end/); return MASK }
    if (match(l, /(incoming|outgoing)user/)) {
        head = substr(s, 1, RSTART + RLENGTH - 1); tail = substr(s, RSTART + RLENGTH)
        joined = (tail ~ /\\\r?$/)
        q = joined ? MASK "\\" : MASK; return head " " MASK " " q
    }
    gsub(/:\/\/[^\/ @]*@/, "://" MASK "@", s)
    gsub(/root=iscsi:[^ @]*@/, "root=iscsi:" MASK "@", s)
    gsub(/DHHC-1:[^ "]*/, MASK, s)
    if (s ~ /[ :]crypt [^ ]+ [^ :]/) sub(/crypt .*/, "crypt " MASK, s)
    if (s ~ /(internal_hash|journal_crypt|journal_mac):/) sub(/(internal_hash|journal_crypt|journal_mac):.*/, MASK, s)
    if (s ~ /tgtadm/) gsub(/ -p *[^ ]+/, " -p " MASK, s)
    l = tolower(s)
    if (!match(l, WORD)) return s
    # iscsiadm takes the value before the name as well as behind it.
    if (l ~ /iscsiadm/ && l ~ / (-v|--va)/) { match(l, /iscsiadm/); return substr(s, 1, RSTART + RLENGTH - 1) " " MASK }
    head = substr(s, 1, RSTART + RLENGTH - 1); tail = substr(s, RSTART + RLENGTH)
    match(tail, /^[]A-Za-z0-9_.[-]*[\\"\047]*[ \t]*[=:]?[ \t]*/)
    rest = substr(tail, RLENGTH + 1)
    head = head substr(tail, 1, RLENGTH)
    joined = (rest ~ /\\\r?$/)
    if (unset_value(rest)) return s
    q = substr(rest, 1, 1)
    if (substr(tail, 1, RLENGTH) ~ /[=:]/ && (q == "\"" || q == "\047") && !index(substr(rest, 2), q)) open = q
    q = joined ? MASK "\\" : MASK; return head q
}
function finish() {
    if (written >= most) print ".\t999\tlarger than 32 MiB"
    else if (lines > 1 && before != "") { print "|" masked(before); print ".\t" substr(last, 2) "\t-" }
    else print ".\t" substr(last, 2)
    lines = written = key = joined = 0
    open = before = last = ""
}
many != "" && index($0, many) == 1 {
    if (lines) finish()
    line = substr($0, length(many) + 1)
    if (line ~ /^>/) { line = ">" masked(substr(line, 2)); key = joined = 0; open = "" }
    print line
    next
}
{ lines++ }
lines > 2 && written < most { line = masked(before); written += length(line) + 2; print "|" line }
{ before = last; last = $0 }
END { if (lines || many == "") finish() }'

# The arguments of processes, one a line, behind "#PID" lines with \001 before them.
ARGUMENTS='
BEGIN { MASK = "********"; WORD = "passw(or)?d|passphrase|passcode|secret|credential|dhchap_(ctrl_)?key|(private|secret|access|api|encryption|shared)[_-]?key|(auth|api|access|bearer|session)[_-]?token" }
function flush(    i, w, l, tgtadm, iscsiadm, hide) {
    if (pid == "") return
    printf "args\t%s", pid
    if (n > 0 && arg[n] == "") n--
    for (i = 1; i <= n; i++) {
        if (arg[i] ~ /(^|\/)tgtadm$/) tgtadm = 1
        if (arg[i] ~ /(^|\/)iscsiadm$/) iscsiadm = 1
    }
    if (iscsiadm) { l = ""; for (i = 1; i <= n; i++) l = l " " tolower(arg[i]); iscsiadm = (l ~ WORD) }
    for (i = 1; i <= n; i++) {
        w = arg[i]; l = tolower(w)
        if (hide) { w = MASK; hide = 0 }
        else if (l ~ /^--?pas[a-z]*$/ || (l ~ /^-/ && l ~ WORD && l !~ /[= ]/) || (tgtadm && w == "-p") || (iscsiadm && w ~ /^(-v|--va[a-z]*)$/)) hide = 1
        else if (tgtadm && w ~ /^-p/) w = "-p" MASK
        else if (iscsiadm && w ~ /^(-v|--va)/) w = "-v" MASK
        else if (l ~ / / && (l ~ WORD || l ~ /--?pas/ || l ~ /tgtadm|iscsiadm/)) w = MASK
        else if (match(l, WORD)) {
            if (match(w, /[=:]/)) w = substr(w, 1, RSTART) MASK
            else if (l ~ /^secret,/) w = MASK
        }
        else if (l ~ /^secret,/) w = MASK
        else gsub(/:\/\/[^\/ @]*@/, "://" MASK "@", w)
        gsub(/%/, "%25", w); gsub(/\t/, "%09", w); gsub(/\002/, "%0A", w)
        printf "\t%s", w
    }
    printf "\n"
}
/^\001#[0-9]+$/ { flush(); pid = substr($0, 3); n = 0; next }
{ arg[++n] = $0 }
END { flush() }'

# Of XML that describes guests, what names their disks and nothing else (libvirt keeps passwords of consoles there), a tag a line.
# Nothing of a text with a document type.
DISKS='
BEGIN {
    KEEP[""] = " domstatus domain disk volume instance "
    KEEP["domstatus"] = " domain "; KEEP["domain"] = " name devices "; KEEP["devices"] = " disk "
    KEEP["disk"] = " driver source target serial readonly "
    KEEP["volume"] = " id diskPath "; KEEP["instance"] = " name disks "; KEEP["disks"] = " diskPath "
    HAS["domstatus"] = " state reason "; HAS["domain"] = " type id "; HAS["disk"] = " type device "
    HAS["driver"] = " name type cache io "; HAS["source"] = " file dev dir protocol name pool volume "; HAS["target"] = " dev bus "
    HAS["diskPath"] = " targetDeviceType targetDeviceName targetDeviceBus sourceType serial "
    TEXTS = " name serial id diskPath "
}
{ all = all $0 "\n" }
function attributes(tag, name,    kept, one, key, rbd) {
    kept = ""
    rbd = (tag ~ /protocol=.rbd/)
    while (match(tag, /[A-Za-z_]+[ \t\n]*=[ \t\n]*("[^"]*"|\047[^\047]*\047)/)) {
        one = substr(tag, RSTART, RLENGTH)
        tag = substr(tag, RSTART + RLENGTH)
        key = one
        sub(/[ \t\n]*=.*/, "", key)
        if (!index(HAS[name], " " key " ")) continue
        # Behind the name of an image of Ceph QEMU takes options, the key among them.
        if (rbd && key == "name" && index(one, ":")) one = substr(one, 1, index(one, ":") - 1) substr(one, length(one))
        kept = kept " " one
    }
    return kept
}
END {
    if (all ~ /<!(DOCTYPE|ENTITY)/) exit
    depth = 0; out = 0; up[0] = ""
    while ((start = index(all, "<")) > 0) {
        all = substr(all, start)
        if (substr(all, 1, 4) == "<!--") { end = index(all, "-->"); if (!end) exit; all = substr(all, end + 3); continue }
        if (substr(all, 1, 9) == "<![CDATA[") { end = index(all, "]]>"); if (!end) exit; all = substr(all, end + 3); continue }
        end = index(all, ">")
        if (!end) exit
        tag = substr(all, 2, end - 2)
        all = substr(all, end + 1)
        if (tag ~ /^\?/) continue
        if (tag ~ /^\//) {
            if (out) out--
            else { print "<" tag ">"; depth-- }
            continue
        }
        closed = (tag ~ /\/$/)
        name = tag
        sub(/[ \t\n\/].*/, "", name)
        if (out || !index(KEEP[up[depth]], " " name " ")) { if (!closed) out++; continue }
        text = ""
        if (!closed && index(TEXTS, " " name " ")) {
            text = substr(all, 1, index(all, "<") - 1)
            gsub(/^[ \t\n]+|[ \t\n]+$/, "", text)
        }
        print "<" name attributes(tag, name) (closed ? "/" : "") ">" text
        if (!closed) { depth++; up[depth] = name }
    }
}'

# --- what may hang -----------------------------------------------------------------------------------------------------------

alive() {
    STATE=
    { read -r STATE <"/proc/$1/stat"; } 2>/dev/null || return 1
    case ${STATE##*)} in " Z"* | " X"*) return 1 ;; esac
}

# descendants PID: adds its children, and theirs, to FAMILY.
descendants() {
    for STATFILE in /proc/[0-9]*/stat; do
        STATE=
        { read -r STATE <"$STATFILE"; } 2>/dev/null || continue
        set -- "$1" ${STATE##*)}
        [ "$3" = "$1" ] || continue
        CHILD=${STATFILE#/proc/}
        FAMILY="$FAMILY ${CHILD%/stat}"
    done
}

# bounded SECONDS COMMAND...: runs a function or command of this script beside us, and ends it and all it started at the deadline.
# Status 1 where it did not end; LEFT then names what does not die (uninterruptible sleep).
bounded() {
    now
    STOP=$((SECOND + $1 + 1))
    [ "$STOP" -le "$END" ] || STOP=$END
    shift
    ("$@") >/dev/null 2>&1 &
    JOB=$!
    PAUSES=$TICKS_OF_A_JOB
    while alive "$JOB"; do
        now
        if [ "$SECOND" -ge "$STOP" ]; then
            kill -STOP "$JOB" 2>/dev/null
            FAMILY=$JOB SEEN=
            while [ "$FAMILY" != "$SEEN" ]; do
                SEEN=$FAMILY
                for MEMBER in $SEEN; do
                    case " $DONE " in *" $MEMBER "*) continue ;; esac
                    DONE="$DONE $MEMBER"
                    descendants "$MEMBER"
                done
            done
            DONE=
            # shellcheck disable=SC2086
            kill -KILL $FAMILY 2>/dev/null
            wait "$JOB" 2>/dev/null
            sleep "$TICK"
            LEFT=
            for MEMBER in $FAMILY; do alive "$MEMBER" && LEFT="$LEFT${LEFT:+,}$MEMBER"; done
            JOB=
            return 1
        fi
        sleep "${PAUSES%% *}"
        case $PAUSES in *' '*) PAUSES=${PAUSES#* } ;; esac
    done
    wait "$JOB" 2>/dev/null
    JOB=
    return 0
}
DONE=

# text COMMAND...: what it prints, masked, as the body of a record, then ">" lines of what it complained of. In a job of its own.
text() {
    COMPLAINT=$({ { "$@" 3>&- </dev/null; printf '\n=%s\n' "$?"; } | awk "$MASKING" >&3; } 2>&1)
    [ -z "$COMPLAINT" ] || printf '%s\n\n=0\n' "$COMPLAINT" | awk "$MASKING" | sed -n 's/^|/>/p' >&3
}

# one HEADER COMMAND...: the same of one of several, in what `many` runs: its record's first line is HEADER.
one() {
    printf '%s%s\n' "$MARK" "$1"
    shift
    COMPLAINT=$("$@" 2>&1 >&4 3>&- </dev/null)
    printf '\n=%s\n' "$?"
    [ -z "$COMPLAINT" ] || printf '%s\n' "$COMPLAINT" | sed "s/^/$MARK>/"
}

# many COMMAND...: a function that asks by `one`, over and over. Half of the processes that as many `text` would take.
many() { "$@" 4>&1 | awk -v many="$MARK" "$MASKING"; }

# ask SECONDS HEADER COMMAND...: one record; HEADER is its first line. A record that has no "." did not come to its end.
ask() {
    PATIENCE=$1
    HEADER=$2
    shift 2
    now
    if [ "$SECOND" -ge "$END" ]; then
        printf '%s\n!\tnot_collected\n' "$HEADER" >&3
        return 1
    fi
    printf '%s\n@\t%s\n' "$HEADER" "$NOW" >&3
    if bounded "$PATIENCE" text "$@"; then
        now
        printf '@\t%s\n' "$NOW" >&3
    else
        # What was cut off may have ended in the middle of a line.
        printf '\n!\ttimeout\t%s\t%s\n' "$PATIENCE" "$LEFT" >&3
        return 1
    fi
}

# --- system files ------------------------------------------------------------------------------------------------------------

# rd FILE: a file of at most 4 MiB. Without a process where it is one short line that cannot hold a secret; the others are read
# together by `waiting`.
WAITING=
rd() {
    enc "$1"
    K=$E
    if [ ! -r "$1" ]; then
        printf 'no\tread\t%s\tdenied\tPermission denied\n' "$K" >&3
        return
    fi
    if [ -d "$1" ]; then
        printf 'no\tread\t%s\tfailed\tIs a directory\n' "$K" >&3
        return
    fi
    # A FIFO or a device would hang.
    [ -f "$1" ] || { printf 'no\tread\t%s\tfailed\tnot a regular file\n' "$K" >&3; return; }
    case $1 in
        */password | */password_in | */password_mutual | */dhchap_* | */shadow | */gshadow) return ;;
        /sys/* | /proc/sys/* | /run/* | /var/run/*)
            LINE= MORE= LINES=
            # shellcheck disable=SC2030
            {
                if IFS= read -r LINE; then
                    LINES=1
                    if IFS= read -r MORE || [ -n "$MORE" ]; then LINES=2; fi
                fi
            } 2>/dev/null <"$1"
            case $LINES$LINE in
                1*[Pp][Aa][Ss][Ss]* | 1*[Ss][Ee][Cc][Rr][Ee][Tt]* | 1*://* | 1*DHHC* | 1*[Kk][Ee][Yy]*) ;;
                1*)
                    enc "$LINE"
                    printf '=\t%s\t%s\n' "$K" "$E" >&3
                    return
                    ;;
            esac
            ;;
    esac
    case $1 in
        *.xml) set -- disks_of "$1" ;;
        */cinder/cinder.conf | */cinder/cinder-dist.conf | */cinder-volume/cinder.conf | */cinder.conf.d/*) set -- options_of "$1" ;;
        /var/lib/dpkg/status) set -- package_of "$1" ;;
        # Of /proc there are readings one after another.
        /proc/* | *"$NL"*) set -- head -c 4194305 "$1" ;;
        *)
            WAITING=$WAITING$1$NL
            return
            ;;
    esac
    printf 'read\t%s\n' "$K" >&3
    text "$@"
}

# waiting: reads the files that wait.
waiting() {
    LIST=$WAITING
    WAITING=
    [ -z "$LIST" ] || many files_of_list >&3
}

files_of_list() {
    while [ -n "$LIST" ]; do
        first_of_list
        enc "$ITEM"
        one "read$TAB$E" head -c 4194305 "$ITEM"
    done
}

# Of dpkg's database the paragraph that is wanted.
package_of() { sed -n '/^Package: tgt$/,/^$/p' "$1"; }

# Of Cinder's configuration the options that are wanted, and the headings above them.
options_of() {
    head -c 4194305 "$1" | awk '
        /^\[.*\][ \t\r]*$/ { heading = $0; next }
        /^[A-Za-z_]+[ \t]*[=:]/ {
            name = tolower($0)
            sub(/[ \t]*[=:].*/, "", name)
            if (name !~ /^(@CINDER_OPTIONS@)$/) next
            if (heading != "") print heading
            heading = ""
            print
        }'
}

disks_of() { head -c 1048577 "$1" | awk "$DISKS"; }

# Patterns are taken apart by nothing: there may be blanks in names.
reads() {
    IFS=
    for FILE in $1; do
        unset IFS
        if [ -e "$FILE" ]; then rd "$FILE"; fi
    done
    unset IFS
    printf 'asked\tread\t%s\n' "$1" >&3
}

# ls_folder FOLDER: the names in it, dotted ones too.
ls_folder() {
    enc "$1"
    if [ ! -r "$1" ] || [ ! -x "$1" ]; then
        printf 'no\tlist\t%s\tdenied\tPermission denied\n' "$E" >&3
        return
    fi
    printf 'list\t%s' "$E" >&3
    for NAME in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -e "$NAME" ] || [ -L "$NAME" ]; then
            enc "${NAME#"$1"/}"
            printf '\t%s' "$E" >&3
        fi
    done
    printf '\n' >&3
}

lists() {
    IFS=
    for FOLDER in $1; do
        unset IFS
        if [ -d "$FOLDER" ]; then ls_folder "$FOLDER"; fi
    done
    unset IFS
    printf 'asked\tlist\t%s\n' "$1" >&3
}

FIELDS='%f %s %b %B %d %i %Y %u %t %T %n'

# together KIND RECORD COMMAND PATTERN...: one record of all that is there, a command for each pattern.
together() {
    KIND=$1
    shift
    ask 10 "$1" each_pattern "$@" || return 0
    shift 2
    for PATTERN in "$@"; do printf 'asked\t%s\t%s\n' "$KIND" "$PATTERN" >&3; done
}

each_pattern() {
    COMMAND=$2
    shift 2
    for PATTERN in "$@"; do found_by "$PATTERN"; done
}

found_by() {
    IFS=
    set -- $1
    unset IFS
    [ -e "$1" ] || [ -L "$1" ] || return 0
    case $COMMAND in
        links) ls -ld "$@" ;;
        stats) stat -L -c "$FIELDS" "$@" ;;
        *) stat -c "$FIELDS" "$@" ;;
    esac
}

links() { together readlink links links "$@"; }
stats() { together stat stats stats "$@"; }
lstat_mtimes() { together lstat_mtime mtimes mtimes "$@"; }

# first_of_list: takes the first line off LIST and puts it into ITEM.
first_of_list() {
    ITEM=${LIST%%"$NL"*}
    LIST=${LIST#*"$NL"}
}

# --- store files: they may lie on a mount that is dead -------------------------------------------------------------------------

FOLDERS_SEEN=$NL
HUNG=$NL
ANSWERED=$NL

# stat_one PATH: a store file. After a hang, what lies in the same folder is not touched again.
stat_one() {
    enc "$1"
    case $ANSWERED in *"$NL$E$NL"*) return ;; esac
    case $HUNG in *"$NL${1%/*}$NL"*) no stat "$1" timeout "its folder does not answer"; return ;; esac
    ask 2 "stat$TAB$E" stat -L -c "$FIELDS" "$1" || { [ "$SECOND" -ge "$END" ] || HUNG=$HUNG${1%/*}$NL; }
}

# stat_list: the store files of LIST, a line each. Together first; each of those by itself that this did not answer.
stat_list() {
    ALL=$LIST
    while [ -n "${LIST%"$NL"}" ]; do
        set --
        while [ -n "${LIST%"$NL"}" ] && [ $# -lt 200 ]; do
            first_of_list
            set -- "$@" "$ITEM"
        done
        now
        [ $# -lt 2 ] || [ "$SECOND" -ge "$END" ] || bounded 3 stat_together "$@" || break
    done
    ANSWERED=$NL$(sed -n "s/^stat$TAB//p" "$PART")$NL
    LIST=$ALL
    while [ -n "${LIST%"$NL"}" ]; do
        first_of_list
        stat_one "$ITEM"
    done
}

# In a job: records of those that are there, all of them at once or none.
stat_together() {
    stat -L -c "$FIELDS" "$@" 2>/dev/null | awk '
        {
            key = $0
            for (i = 0; i < 10; i++) sub(/^[^ ]* /, "", key)
            gsub(/%/, "%25", key)
            gsub(/\t/, "%09", key)
            told = told "stat\t" key "\n|" $0 "\n.\t0\n"
        }
        END { printf "%s", told }' >&3
}

# In a job: every entry of a folder.
stat_entries() {
    cd "$1" || return
    set -- "$1"
    for NAME in ./* ./.[!.]* ./..?*; do
        [ -e "$NAME" ] || [ -L "$NAME" ] || continue
        case $NAME in *"$NL"*) enc "$NAME"; printf '? %s\n' "$E"; continue ;; esac
        set -- "$@" "$NAME"
        if [ $# -gt 400 ]; then
            shift
            stat -L -c "$FIELDS" "$@"
            set -- .
        fi
    done
    shift
    [ $# -eq 0 ] || stat -L -c "$FIELDS" "$@"
}

# store FOLDER: a folder of backing files, each folder once.
store() {
    case $FOLDERS_SEEN in *"$NL$1$NL"*) return ;; esac
    FOLDERS_SEEN=$FOLDERS_SEEN$1$NL
    enc "$1"
    KEY=$E
    case $HUNG in
        *"$NL$1$NL"*)
            no stat "$1" timeout "it does not answer"
            return
            ;;
    esac
    ask 2 "stat$TAB$KEY" stat -L -c "$FIELDS" "$1" || { HUNG=$HUNG$1$NL; return; }
    ask 6 "files$TAB$KEY" stat_entries "$1" || { HUNG=$HUNG$1$NL; return; }
    # Blocks, free, available, the size they are counted in, inodes, free ones.
    ask 3 "space$TAB$KEY" stat -f -c '%b %f %a %S %s %c %d' "$1"
}

backing_files() {
    LIST= FOLDERS=
    for FILE in /sys/block/loop*/loop/backing_file; do
        [ -r "$FILE" ] || continue
        BACKING=
        # A name may have line ends in it.
        while IFS= read -r LINE || [ -n "$LINE" ]; do BACKING=$BACKING${BACKING:+$NL}$LINE; done 2>/dev/null <"$FILE"
        case $BACKING in /*) ;; *) continue ;; esac
        # Read-only devices (images) make no store.
        READONLY=0
        read -r READONLY 2>/dev/null <"${FILE%/loop/backing_file}/ro"
        case $BACKING in
            *"$NL"*)
                stat_one "$BACKING"
                case $BACKING in *' (deleted)') stat_one "${BACKING% (deleted)}" ;; esac
                [ "$READONLY" = 1 ] || store "${BACKING%/*}"
                continue
                ;;
            *' (deleted)') LIST=$LIST$BACKING$NL${BACKING% (deleted)}$NL ;;
            *) LIST=$LIST$BACKING$NL ;;
        esac
        [ "$READONLY" = 1 ] || FOLDERS=$FOLDERS${BACKING%/*}$NL
    done
    stat_list
    LIST=$FOLDERS
    while [ -n "${LIST%"$NL"}" ]; do
        first_of_list
        store "$ITEM"
    done
}

# An old kernel tells nothing of its loop devices in /sys: then losetup is asked, which opens them. Nowhere else: a device that is
# open is detached later than whoever detaches it believes.
old_loops() {
    SIZE=0
    for FILE in /sys/block/loop*; do
        [ -r "$FILE/size" ] && [ ! -e "$FILE/loop" ] || continue
        read -r SIZE <"$FILE/size"
        [ "$SIZE" = 0 ] || break
    done
    [ "$SIZE" != 0 ] || return 0
    command -v losetup >/dev/null 2>&1 || { no run "losetup -a" absent "not installed"; return; }
    ask 5 "run${TAB}losetup -a" losetup -a || return
    FOLDERS=$(sed -n 's/^|\/dev\/loop[0-9]*: \[[0-9a-f]*\]:[0-9]* (\(\/.*\)).*$/\1/p' "$PART")$NL
    LIST=$FOLDERS
    stat_list
    LIST=$FOLDERS
    while [ -n "${LIST%"$NL"}" ]; do
        first_of_list
        store "${ITEM%/*}"
    done
}

# --- guests --------------------------------------------------------------------------------------------------------------------

# folder PATH: the entries of a folder that may be on a dead mount. Status 1 where it is not there, 2 where it does not answer.
folder() {
    enc "$1"
    KEY=$E
    ask 2 "stat$TAB$KEY" stat -L -c "$FIELDS" "$1" || { no files "$1" timeout "it does not answer"; return 2; }
    case $(sed -n "s/^\\.$TAB\\([0-9]*\\).*/\\1/p" "$PART" | sed -n '$p') in
        0) ask 6 "files$TAB$KEY" stat_entries "$1" || return 2 ;;
        *) no files "$1" absent "No such file or directory"; return 1 ;;
    esac
}

# entries PATH KIND: the names that were recorded of a folder; KIND is the first digit of the mode, 4 a folder, 8 a file.
entries() {
    enc "$1"
    WHAT="files$TAB$E" KIND=$2 awk '
        $0 == ENVIRON["WHAT"] { on = 1; next }
        on && /^[.!]/ { on = 0 }
        on && /^\|/ && substr($0, 2, 1) == ENVIRON["KIND"] { for (i = 0; i < 10; i++) sub(/^[^ ]* /, ""); sub(/^\.\//, ""); print }' "$PART"
}

# What the node controller of Eucalyptus keeps of its instances: PATH/work/USER/ID/vol-*.xml, before 3.0 without "work".
instances() {
    [ -r /etc/eucalyptus/eucalyptus.conf ] || return 0
    NODE_PATH=$(sed -n "s/^[ $TAB]*INSTANCE_PATH[ $TAB]*=[ $TAB]*[\"']\{0,1\}\([^\"'#]*[^\"'# $TAB]\).*/\1/p" \
        /etc/eucalyptus/eucalyptus.conf | sed -n '$p')
    NODE_PATH=${NODE_PATH:-/var/lib/eucalyptus/instances}
    TOP=${NODE_PATH%/}/work
    folder "$TOP"
    case $? in
        0) ;;
        1) TOP=${NODE_PATH%/}; folder "$TOP" || return 0 ;;
        *) return 0 ;;
    esac
    # Names are taken apart at line ends, and no name is a pattern; but only where the loop's words are made.
    IFS=$NL
    set -f
    for OWNER in $(entries "$TOP" 4); do
        unset IFS
        set +f
        folder "$TOP/$OWNER" || continue
        IFS=$NL
        set -f
        for INSTANCE in $(entries "$TOP/$OWNER" 4); do
            unset IFS
            set +f
            case $INSTANCE in i-*) ;; *) continue ;; esac
            folder "$TOP/$OWNER/$INSTANCE" || break
            IFS=$NL
            set -f
            for FILE in $(entries "$TOP/$OWNER/$INSTANCE" 8); do
                unset IFS
                set +f
                case $FILE in
                    vol-*.xml)
                        enc "$TOP/$OWNER/$INSTANCE/$FILE"
                        ask 3 "read$TAB$E" disks_of "$TOP/$OWNER/$INSTANCE/$FILE" || break 3
                        ;;
                esac
            done
            unset IFS
            set +f
        done
        unset IFS
        set +f
    done
    unset IFS
    set +f
}

# The devices that guests were given.
guest_devices() {
    LIST=$(sed -n "s/^|<source.* dev=[\"']\(\/dev\/[^\"']*\)[\"'].*/\1/p;s/^|<diskPath[^>]*>\(\/dev\/.*\)$/\1/p" "$PART" | awk '!seen[$0]++')$NL
    stat_list
}

# --- processes ---------------------------------------------------------------------------------------------------------------

TGTD=

# In a job: the arguments of some processes. A process whose memory map is locked hangs us.
arguments() {
    for PROCESS in "$@"; do
        printf '\001#%s\n' "$PROCESS"
        tr '\n\000' '\002\n' <"/proc/$PROCESS/cmdline"
        printf '\n'
    done 2>/dev/null | awk "$ARGUMENTS" >&3
}

processes() {
    PIDS=
    for FILE in /proc/[0-9]*/stat; do
        STATE=
        { read -r STATE <"$FILE"; } 2>/dev/null || continue
        NAME=${STATE%)*}
        NAME=${NAME#*\(}
        PID=${FILE#/proc/}
        PID=${PID%/stat}
        # state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime priority nice threads _ start
        set -- ${STATE##*)}
        [ $# -ge 20 ] || continue
        if [ "$PID" = 2 ] || [ "$2" = 2 ]; then continue; fi # threads of the kernel
        OWNER=-
        while read -r KEY _ EFFECTIVE _; do
            if [ "$KEY" = Uid: ]; then OWNER=$EFFECTIVE; break; fi
        done 2>/dev/null <"/proc/$PID/status"
        enc "$NAME"
        printf 'ps\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$PID" "$2" "$1" "$OWNER" "${18}" "${20}" "$((${12} + ${13}))" "$E" >&3
        [ "$PID" = $$ ] || PIDS="$PIDS $PID"
        [ "$NAME" != tgtd ] || TGTD="$TGTD $PID"
    done
    # shellcheck disable=SC2086
    if bounded 6 arguments $PIDS; then
        printf 'processes\tok\n' >&3
        return
    fi
    printf '\n' >&3
    for PID in $PIDS; do
        now
        [ "$SECOND" -lt "$END" ] || { printf 'processes\tnot_collected\n' >&3; return; }
        bounded 1 arguments "$PID" || printf '\nstuck\t%s\t%s\n' "$PID" "$LEFT" >&3
    done
    printf 'processes\tok\n' >&3
}

# --- how busy tgtd is -------------------------------------------------------------------------------------------------------

# line FILE: a file of /proc of one line that holds no secret, without a process: two readings of a clock and of what it times are
# to be close together.
line() {
    LINE=
    if { IFS= read -r LINE; } 2>/dev/null <"$1"; then
        enc "$LINE"
        printf '=\t%s\t%s\n' "$1" "$E" >&3
    else
        printf 'no\tread\t%s\tabsent\n' "$1" >&3
    fi
}

# Two readings of the processor time of tgtd's main thread, each under names of its own; what was asked meanwhile, of others than
# tgtd, is the pause.
load_before() {
    [ -n "$TGTD" ] || return 0
    now
    LOAD_BEGAN=$SECOND LOAD_BEGAN_PART=${NOW#*.}
    line /proc/uptime
    for PID in $TGTD; do line "/proc/$PID/task/$PID/schedstat"; done
}

load_after() {
    [ -n "$TGTD" ] || return 0
    now
    # Less proves nothing but idleness.
    while [ $(((SECOND - LOAD_BEGAN) * 100 + 1${NOW#*.} - 1$LOAD_BEGAN_PART)) -lt 60 ] && [ "$SECOND" -lt "$END" ]; do
        sleep "$TICK"
        now
    done
    line /proc/./uptime
    for PID in $TGTD; do
        line "/proc/$PID/schedstat"
        line "/proc/$PID/task/$PID/stat"
    done
}

# --- commands ----------------------------------------------------------------------------------------------------------------

# command_ SECONDS KEY COMMAND...: KEY is the command line as it is asked for, encoded.
command_() {
    if command -v "$3" >/dev/null 2>&1; then
        SECONDS_=$1 KEY=$2
        shift 2
        ask "$SECONDS_" "run$TAB$KEY" "$@"
    else
        printf 'no\trun\t%s\tabsent\tnot installed\n' "$2" >&3
        return 1
    fi
}

# What LVM may open. It waits for every disk that its filters accept, so those of dead sessions, and all that is stacked on them, are
# left out by naming all others.
lvm_devices() {
    BAD=' '
    for FILE in /sys/block/*; do
        NAME=${FILE##*/}
        STATE=running
        if [ -r "$FILE/device/state" ]; then read -r STATE <"$FILE/device/state"; fi
        case $STATE in running | live | '') ;; *) BAD="$BAD$NAME " ;; esac
    done
    for SESSION in /sys/class/iscsi_session/session*; do
        [ -e "$SESSION" ] || continue
        STATE=
        { read -r STATE <"$SESSION/state"; } 2>/dev/null
        [ "$STATE" != LOGGED_IN ] || continue
        for FILE in "$SESSION"/device/target*/*:*/block/*; do
            [ ! -e "$FILE" ] || BAD="$BAD${FILE##*/} "
        done
    done
    GROWN=1
    while [ "$GROWN" = 1 ] && [ "$BAD" != ' ' ]; do
        GROWN=0
        for FILE in /sys/block/*/slaves/*; do
            [ -e "$FILE" ] || continue
            UPPER=${FILE#/sys/block/}
            UPPER=${UPPER%%/*}
            case $BAD in *" $UPPER "*) continue ;; esac
            LOWER=${FILE##*/}
            DISK=$LOWER
            [ -e "/sys/block/$DISK" ] || DISK=${LOWER%%[0-9]*}
            case $BAD in *" $LOWER "* | *" $DISK "*) ;; *) continue ;; esac
            UUID=
            { read -r UUID <"/sys/block/$UPPER/dm/uuid"; } 2>/dev/null
            case $UUID in
                mpath-*) # with one path left it answers
                    GOOD=0
                    for LOWER in "/sys/block/$UPPER/slaves"/*; do
                        case $BAD in *" ${LOWER##*/} "*) ;; *) GOOD=1 ;; esac
                    done
                    [ "$GOOD" = 0 ] || continue
                    ;;
            esac
            BAD="$BAD$UPPER "
            GROWN=1
        done
    done
    ACCEPT= ANY_DM=0 BAD_DM=0
    for FILE in /sys/block/*; do
        NAME=${FILE##*/}
        case $NAME in fd[0-9]* | sr[0-9]* | scd*) continue ;; *[!A-Za-z0-9_-]*) continue ;; esac
        case $BAD in
            *" $NAME "*)
                case $NAME in dm-*) BAD_DM=1 ;; esac
                continue
                ;;
        esac
        SIZE=0
        { read -r SIZE <"$FILE/size"; } 2>/dev/null
        [ "$SIZE" != 0 ] || continue
        case $NAME in
            dm-*) ANY_DM=1 PARTITION='(p[0-9]+)?' ;;
            *[0-9]) PARTITION='(p[0-9]+)?' ;;
            *) PARTITION='[0-9]*' ;;
        esac
        ACCEPT="$ACCEPT\"a|^/dev/$NAME$PARTITION\$|\","
    done
    if [ "$ANY_DM" = 1 ] && [ "$BAD_DM" = 0 ]; then ACCEPT="$ACCEPT\"a|^/dev/mapper/|\","; fi
    OWN=$(cat /etc/lvm/lvm.conf /etc/lvm/lvmlocal.conf 2>/dev/null | sed -n 's/^[^#]*global_filter[ \t]*=.*/g/p;t
s/^[^#]*[^#_a-z]filter[ \t]*=.*/f/p;s/^filter[ \t]*=.*/f/p' | tr -d '\n')
    SETTING=global_filter
    case $OWN in *f*g* | *g*f*) SETTING=both ;; *g*) SETTING=filter ;; esac
    LVM_DEVICES=
    if [ "$BAD" = ' ' ]; then
        # The host's own view, where it names the devices itself.
        if [ ! -e /etc/lvm/devices/system.devices ] && [ "$SETTING" != both ]; then
            LVM_DEVICES="$SETTING=[$ACCEPT\"r|.*|\"]"
        fi
    else
        [ "$SETTING" != both ] || SETTING=global_filter
        LVM_DEVICES="$SETTING=[$ACCEPT\"r|.*|\"]"
        [ ! -e /etc/lvm/devices/system.devices ] || LVM_DEVICES="use_devicesfile=0 $LVM_DEVICES"
    fi
    # Before 2.02.98 there was no global_filter, and a filter put there takes the place of the host's own.
    LVM_OLD_DEVICES=
    case $OWN in
        *f*) [ "$BAD" = ' ' ] || LVM_OLD_DEVICES="filter=[$ACCEPT\"r|.*|\"] global_filter=[$ACCEPT\"r|.*|\"]" ;;
        *) LVM_OLD_DEVICES="filter=[$ACCEPT\"r|.*|\"]" ;;
    esac
    # execve(2) takes 128 KiB a string.
    if [ ${#LVM_OLD_DEVICES} -gt 110000 ] || [ ${#LVM_DEVICES} -gt 110000 ]; then
        LVM_DEVICES='global_filter=["a|^/dev/(loop|vd|xvd|nvme|md)|","r|.*|"]'
        LVM_OLD_DEVICES='filter=["a|^/dev/(loop|vd|xvd|nvme|md)|","r|.*|"]'
    fi
    LVM_DRIVER=
    # Else LVM opens /dev/mapper/control, and the kernel loads the module for that.
    [ -e /sys/class/misc/device-mapper/dev ] || LVM_DRIVER='--driverloaded n'
}

# lvm_ SECONDS KEY lvm ...: a report. Status 1 where this LVM knows no such command (exit status 2) or an option of it not (3),
# so that it has to be asked in another way.
lvm_() {
    if [ "$USERID" != 0 ]; then
        no run "$2" denied "LVM reads devices, which root alone may"
        return
    fi
    command_ "$@" || return 0
    STATUS=$(sed -n "s/^\\.$TAB\\([0-9]*\\).*/\\1/p" "$PART" | sed -n '$p')
    case $STATUS in 2 | 3) return 1 ;; esac
}

# The nodes that an old LVM names, whose numbers it does not tell.
physical_volumes() {
    LIST=$(sed -n '/^run	lvm pvs /,/^\./s/^|.*\(\/dev\/[A-Za-z0-9_.\/+-]*\).*/\1/p' "$PART" | awk '!seen[$0]++')$NL
    stat_list
}

# The host's own disks, one after the other: they may be many, and one that fails is slow to answer.
disks() {
    now
    STOP_DISKS=$((SECOND + @DISKS_SECONDS@))
    for FILE in /sys/block/sd* /sys/block/nvme*; do
        NAME=${FILE##*/}
        case $NAME in nvme*c*) continue ;; esac # a path of a namespace that has several
        SIZE=0 REMOVABLE=0 STATE=
        { read -r SIZE <"$FILE/size"; } 2>/dev/null || continue
        { read -r REMOVABLE <"$FILE/removable"; } 2>/dev/null
        if [ -r "$FILE/device/state" ]; then read -r STATE <"$FILE/device/state"; fi
        case $NAME$STATE in nvme*) ;; *running | "$NAME") ;; *) continue ;; esac
        if [ "$SIZE" = 0 ] || [ "$REMOVABLE" = 1 ]; then continue; fi
        LINK=$(ls -ld "$FILE")
        case $LINK in */session[0-9]*) continue ;; esac
        now
        if [ "$SECOND" -ge "$STOP_DISKS" ]; then
            no run "@SMARTCTL@ /dev/$NAME" not_collected "the time was up"
            continue
        fi
        command_ @DISK_SECONDS@ "@SMARTCTL@ /dev/$NAME" @SMARTCTL@ "/dev/$NAME" && continue
        command -v smartctl >/dev/null 2>&1 && continue
        case $NAME in nvme*) command_ @DISK_SECONDS@ "@NVME@ /dev/$NAME" @NVME@ "/dev/$NAME" ;; esac
    done
}

kernel_log() {
    # util-linux of EL6 prints times only where the kernel puts them there; the reader passes over lines without.
    ask 5 "kernel_log$TAB-" dmesg
}

# Of a log the lines that match, cut, without what was encrypted (RSA, in base64), each behind the time that it has; and the time of
# its first line. Lines without a time of their own have that of the line before.
LOG_LINES='
BEGIN { for (i = 0; i < 40; i++) long = long "[A-Za-z0-9+/]"; long = long "[A-Za-z0-9+/]*=*" }
{ own = 0 }
/^[[]?(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z][a-z] +[0-9]+ [0-9][0-9]:/ { own = 1; stamp = substr($0, 1, 26) }
/^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:/ { own = 1; stamp = substr($0, 1, 19) }
/^  ERR-[0-9]+ [0-9][0-9][0-9][0-9]-/ { own = 1; stamp = substr($0, 1, 31) }
own && !begun { begun = 1; print stamp }
$0 ~ wanted {
    line = substr($0, 1, 2000)
    gsub(long, "********", line)
    if (!own && stamp != "" && told != NR - 1) print stamp
    print line
    told = NR
}'

# In a job: a log and what it was last rolled into, at most 32 MiB.
log_lines() {
    for FILE in "$1.1" "$1.0" "$1"; do
        if [ -f "$FILE" ]; then tail -c 33554432 "$FILE"; fi
    done | tail -c 33554432 | awk -v wanted="$2" "$LOG_LINES"
}

log_() {
    [ -e /etc/eucalyptus/eucalyptus-version ] || return 0
    if [ -e "$1" ] && [ ! -f "$1" ]; then no log "$1" failed "not a regular file"; return; fi
    [ -f "$1" ] || { no log "$1" absent "No such file or directory"; return; }
    [ -r "$1" ] || { no log "$1" denied "Permission denied"; return; }
    WHOLE=1
    if [ -e "$1.2" ]; then WHOLE=0; fi
    enc "$1"
    ask 10 "log$TAB$E$TAB$(date +%z)$TAB$WHOLE" log_lines "$1" "$2"
}

# Parts of snapshots on their way to or from object storage.
spool() {
    [ -e /etc/eucalyptus/eucalyptus-version ] || return 0
    for FOLDER in /var/tmp /var/tmp/systemd-private-*-eucalyptus-cloud.service-*/tmp; do
        [ -d "$FOLDER" ] || continue
        enc "$FOLDER"
        ask 6 "files$TAB$E" stat_entries "$FOLDER"
    done
}

device_mapper() {
    set -- /sys/block/dm-*
    [ -e "$1" ] || return 0
    if [ "$USERID" != 0 ]; then
        no dm table denied "device-mapper answers root alone"
        no dm status denied "device-mapper answers root alone"
        return
    fi
    command -v dmsetup >/dev/null 2>&1 || { no dm table not_collected "no dmsetup here"; no dm status not_collected "no dmsetup here"; return; }
    ask 6 "dm${TAB}table" dmsetup table
    # Without --noflush a thin pool writes its metadata before it answers.
    if dmsetup help 2>&1 | grep noflush >/dev/null; then
        ask 6 "dm${TAB}status" dmsetup status --noflush
    elif [ -n "$(sed -n '/^|.* thin-pool /p' "$PART")" ]; then
        no dm status failed "this dmsetup cannot ask a thin pool without writing to it"
    else
        ask 6 "dm${TAB}status" dmsetup status
    fi
}

# The counters are another operation of a mode.
operation() { case $1 in stats) OP='stat --mode sys' ;; *) OP="show --mode $1" ;; esac; }

# tgtd_ PORT: one daemon. A question that gets no answer is the last one.
tgtd_() {
    CONTROL=
    [ "$1" = 0 ] || CONTROL="-C $1"
    for MODE in @TGT_MODES@; do
        operation "$MODE"
        # shellcheck disable=SC2086
        ask 3 "tgt$TAB$MODE$TAB$1$TAB-" tgtadm $CONTROL --lld iscsi --op $OP || return
    done
    PORT=$1
    # shellcheck disable=SC2046
    set -- $(sed -n "/^tgt${TAB}target${TAB}$1${TAB}-\$/,/^\\.${TAB}/s/^|Target \\([0-9]*\\): .*/\\1/p" "$PART")
    while [ $# -gt 0 ]; do
        TIDS=
        while [ $# -gt 0 ] && [ ${#TIDS} -lt 200 ]; do
            TIDS="$TIDS $1"
            shift
        done
        now
        [ "$SECOND" -ge "$END" ] || ! bounded 5 targets_together || continue
        for TID in $TIDS; do
            for MODE in @TGT_TARGET_MODES@; do
                # shellcheck disable=SC2086
                ask 3 "tgt$TAB$MODE$TAB$PORT$TAB$TID" tgtadm $CONTROL --lld iscsi --op show --mode "$MODE" --tid "$TID" || return
            done
        done
    done
}

# In a job: the questions about some targets, all of them answered or none.
targets_together() {
    ANSWERS=$(many each_target)
    printf '%s\n' "$ANSWERS" >&3
}

each_target() {
    for TID in $TIDS; do
        for MODE in @TGT_TARGET_MODES@; do
            # shellcheck disable=SC2086
            one "tgt$TAB$MODE$TAB$PORT$TAB$TID" tgtadm $CONTROL --lld iscsi --op show --mode "$MODE" --tid "$TID"
        done
    done
}

targets() {
    PORTS=
    # Those too that were there when the folder was listed: they are asked for.
    for FILE in $(sed -n "s/^list$TAB\/var\/run\/tgtd$TAB//p" "$PART") /var/run/tgtd/socket.*; do
        PORT=${FILE##*socket.}
        case $PORT in '' | *[!0-9]*) continue ;; esac
        case "$PORTS " in *" $PORT "*) ;; *) PORTS="$PORTS $PORT" ;; esac
    done
    # Before 1.0.58 the socket had no name in the file system.
    if [ ! -d /var/run/tgtd ]; then
        while IFS= read -r LINE; do
            case $LINE in *tgtd.ipc_abstract_namespace*) PORTS=0 ;; esac
        done 2>/dev/null </proc/net/unix
    fi
    if [ -z "$PORTS" ]; then
        for MODE in @TGT_MODES@; do no tgt "$MODE 0 -" absent "no management socket"; done
        return
    fi
    for PORT in $PORTS; do
        if [ "$USERID" != 0 ]; then
            for MODE in @TGT_MODES@; do no tgt "$MODE $PORT -" denied "tgtd answers its own user only"; done
        elif command -v tgtadm >/dev/null 2>&1; then
            tgtd_ "$PORT"
        else
            for MODE in @TGT_MODES@; do no tgt "$MODE $PORT -" not_collected "no tgtadm here"; done
        fi
    done
    # The paths of LIO's backstores, now and as they are kept over a boot, are read from here too: nothing is kept of them here.
    LIST=$(
        {
            sed -n 's/^|  *Backing store path: \(\/.*\)$/\1/p' "$PART"
            sed -n -e 's/^\(\/.*\)$/\1/p' -e 's/^.*  *File: \(\/.*[^ ]\)  *Size: .*$/\1/p' \
                /sys/kernel/config/target/core/*/*/udev_path /sys/kernel/config/target/core/fileio_*/*/info
            sed -n 's/^.*"dev": *"\(\/[^"\\]*\)".*$/\1/p' /etc/target/saveconfig.json /etc/rtslib-fb-target/saveconfig.json
        } 2>/dev/null | awk '!seen[$0]++'
    )$NL
    OURS=$(ls -ld /proc/self/ns/mnt 2>/dev/null)
    PATHS=$LIST
    for PID in $TGTD; do
        # A daemon in another mount namespace sees other files.
        THEIRS=$(ls -ld "/proc/$PID/ns/mnt" 2>/dev/null)
        [ "${OURS##*-> }" != "${THEIRS##*-> }" ] || continue
        LIST=$PATHS
        while [ -n "${LIST%"$NL"}" ]; do
            first_of_list
            PATHS="$PATHS/proc/$PID/root$ITEM$NL"
        done
    done
    LIST=$PATHS
    stat_list
}

# Where each daemon sees its files.
namespaces() {
    set --
    for PID in $TGTD; do set -- "$@" "/proc/$PID/ns/mnt"; done
    [ $# -eq 0 ] || links "$@"
}

# included FILE...: what these files of targets.conf(5) include beside the places that all hosts have, and what that includes.
included() {
    INCLUDED=$NL
    while [ $# -gt 0 ]; do
        LIST=
        if [ -f "$1" ] && [ -r "$1" ]; then
            LIST=$(sed -n 's/^[ \t]*<*[Ii]nclude\(Optional\)\{0,1\}[ \t=][ \t=]*\(.*[^ \t>]\)[ \t>]*$/\2/p' "$1" | tr -d "\"'")$NL
        fi
        shift
        while [ -n "${LIST%"$NL"}" ]; do
            first_of_list
            case $ITEM in /*) ;; *) ITEM=/$ITEM ;; esac
            case $ITEM in *[*?[]*) lists "${ITEM%/*}" ;; esac
            IFS=
            for FOUND in $ITEM; do
                unset IFS
                case $INCLUDED in *"$NL$FOUND$NL"*) continue ;; esac
                INCLUDED=$INCLUDED$FOUND$NL
                if [ -d "$FOUND" ]; then
                    lists "$FOUND"
                    reads "$FOUND/*"
                elif [ -e "$FOUND" ]; then
                    rd "$FOUND"
                    set -- "$@" "$FOUND"
                else
                    no read "$FOUND" absent
                fi
            done
            unset IFS
        done
    done
}

# --- the questions -------------------------------------------------------------------------------------------------------------

TICKS=$(getconf CLK_TCK 2>/dev/null) || TICKS=100
enc "$NODE"
{
    printf 'sctune-script\t1\t%s\n' '@VERSION@'
    printf 'host\t%s\t%s\t%s\n' "$E" "$(uname -r)" "$USERID"
    printf 'clock\t%s\t%s\t%s\n' "$(date +%s)" "$NOW" "$TICKS"
} >&3

processes
load_before
@COMMANDS@
lvm_devices
@LVM@
device_mapper
@KERNEL_LOG@
@LOGS@
spool
@PATHS@
disks
namespaces
reads "/lib/modules/$(uname -r)/modules.dep"
included /etc/tgt/*.conf /etc/tgt/conf.d/*
waiting
instances
guest_devices
backing_files
old_loops
store /var/lib/eucalyptus/volumes
LIST=$STORES
while [ -n "${LIST%"$NL"}" ]; do
    first_of_list
    store "${ITEM%/}"
done
load_after
targets
printf 'end\n' >&3
if [ "$OUT" = - ]; then
    # A login may have printed something before, even half a line.
    if command -v gzip >/dev/null 2>&1; then
        printf '\nsctune-%s\tgzip\n' stream
        gzip -1 -c <"$PART" 2>/dev/null
    else
        printf '\nsctune-%s\tplain\n' stream
        sed '' "$PART"
    fi
    exit
fi
exec 3>&-
mv "$PART" "$OUT" || exit 1
trap - EXIT
now
if [ "$SECOND" -ge "$END" ]; then
    echo "sctune-capture: not everything could be asked in $LIMIT s; the file says what" >&2
fi
echo "Wrote $OUT. Look at it: it names files, volumes, addresses and accounts of this host. Then, elsewhere:"
echo "  sctune doctor --from $OUT"
