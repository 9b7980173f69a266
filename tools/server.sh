#!/usr/bin/env bash
# An MLflow server on PostgreSQL, for `make server`; docs/clusters.md tells how to use it.
#
#   STORE      folder of what the server keeps
#   PORT       on 127.0.0.1
#   DATABASE   address of a database that is there, postgresql+psycopg://user:password@host/name; without it, a cluster
#              of its own is made and started in CLUSTER, and stopped at the end
#   CLUSTER    folder of that cluster
#   ARTIFACTS  where artifacts go: a folder, or an address such as s3://bucket/path
#   AUTH       1 asks everybody for user and password
set -euo pipefail
umask 077
python=$1
STORE=$(realpath -m "${STORE:-runs}")
PORT=${PORT:-5000}
CLUSTER=$(realpath -m "${CLUSTER:-$STORE/server/postgres}")
ARTIFACTS=${ARTIFACTS:-$STORE/server/artifacts}
case $ARTIFACTS in *://*) ;; *) ARTIFACTS=$(realpath -m "$ARTIFACTS") ;; esac

fail() { echo "error: $*" >&2; exit 1; }

# PostgreSQL refuses to run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

find_postgres() {
    local found
    for found in "$(dirname "$(realpath -m "$(command -v initdb || echo /none/initdb)")")" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) \
        /usr/pgsql-*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql*/bin; do
        if [ -x "$found/initdb" ] && [ -x "$found/pg_ctl" ]; then echo "$found"; return; fi
    done
    fail "no PostgreSQL here (initdb, pg_ctl): install it (Debian: apt install postgresql), or give DATABASE=postgresql+psycopg://user:password@host/name"
}

start_cluster() {
    local bin
    bin=$(find_postgres)
    mkdir -p "$CLUSTER"
    if [ "$(id -u)" = 0 ]; then
        id postgres >/dev/null 2>&1 || fail "PostgreSQL does not run as root, and there is no user postgres; run make server as another user"
        chown postgres "$CLUSTER"
        (cd / && as_owner test -w "$CLUSTER") || fail "$CLUSTER: the user postgres cannot reach it; give another folder (CLUSTER=…)"
    fi
    sockets=$(mktemp -d /tmp/postgres.XXXXXX)  # the address of a socket is short
    [ "$(id -u)" != 0 ] || chown postgres "$sockets"
    cd /  # where the user postgres may be
    # Nobody else can open the folder of the socket, and no port is opened: that is the password.
    [ -e "$CLUSTER/PG_VERSION" ] || as_owner "$bin/initdb" --pgdata="$CLUSTER" --username=mlflow --auth=trust --encoding=UTF8 \
        --locale=C >/dev/null || fail "$CLUSTER: initdb failed"
    as_owner "$bin/pg_ctl" --pgdata="$CLUSTER" --log="$CLUSTER/server.log" --wait --silent \
        --options="-c listen_addresses='' -c unix_socket_directories='$sockets'" start >/dev/null \
        || fail "PostgreSQL does not start in $CLUSTER: see $CLUSTER/server.log; is another make server running?"
    cluster_bin=$bin
    "$python" - "$sockets" <<'PYTHON' || fail "$CLUSTER: its database cannot be made"
import sys, psycopg
with psycopg.connect(host=sys.argv[1], user="mlflow", dbname="postgres", autocommit=True) as connection:
    if not connection.execute("select 1 from pg_database where datname = 'mlflow'").fetchone():
        connection.execute("create database mlflow")
PYTHON
    DATABASE="postgresql+psycopg://mlflow@/mlflow?host=$sockets"
}

stop() {
    trap - EXIT INT TERM
    [ -z "${server:-}" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
    [ -z "${cluster_bin:-}" ] || as_owner "$cluster_bin/pg_ctl" --pgdata="$CLUSTER" --mode=fast --silent stop >/dev/null || true
    [ -z "${sockets:-}" ] || rm -rf "$sockets"
}

# A secret in a file that only its owner reads, made once.
secret() {
    [ -s "$1" ] || "$python" -c 'import secrets; print(secrets.token_urlsafe(24))' > "$1"
    cat "$1"
}

python=$(realpath -s "$python")
"$python" -c 'import psycopg' 2>/dev/null || fail "psycopg is missing: pip install 'sentiment_rnn[server]' (in a checkout: .venv/bin/pip install -e '.[server]')"
(umask 066 && mkdir -p "$STORE/server" "$(dirname "$CLUSTER")")  # the user postgres passes through, and nobody lists them
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
[ -n "${DATABASE:-}" ] || start_cluster
app=()
if [ "${AUTH:-}" = 1 ]; then
    "$python" -c 'import flask_wtf' 2>/dev/null || fail "Flask-WTF is missing: pip install 'sentiment_rnn[server]'"
    printf '[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///%s\nadmin_username = admin\nauth_cache_ttl_seconds = 60\n' \
        "$STORE/server/users.db" > "$STORE/server/auth.ini"
    MLFLOW_AUTH_ADMIN_PASSWORD=$(secret "$STORE/server/admin-password")
    MLFLOW_FLASK_SERVER_SECRET_KEY=$(secret "$STORE/server/secret-key")
    export MLFLOW_AUTH_CONFIG_PATH=$STORE/server/auth.ini MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY
    app=(--app-name basic-auth)
    echo "user admin, its password is in $STORE/server/admin-password"
fi
echo "http://127.0.0.1:$PORT  (Ctrl-C stops it); elsewhere on this machine: export MLFLOW_TRACKING_URI=http://127.0.0.1:$PORT"
# In the environment, since every user sees the command lines of others.
export MLFLOW_BACKEND_STORE_URI=$DATABASE MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
"$python" -m mlflow server --host 127.0.0.1 --port "$PORT" --workers "${WORKERS:-2}" --serve-artifacts \
    --artifacts-destination "$ARTIFACTS" "${app[@]}" &
server=$!
wait "$server"
