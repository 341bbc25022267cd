#!/bin/sh
# Makes the secrets that are missing in a folder. Run by `docker compose up`; what is there already stays as it is.
set -eu
umask 077
folder=${1:-/secrets}

# make NAME VALUE: the gateway runs as user 65532 and is the only one who reads it, besides root.
make() {
    if [ ! -s "$folder/$1" ]; then
        printf '%s\n' "$2" > "$folder/$1.new"
        chown 65532:65532 "$folder/$1.new"
        chmod 0400 "$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
        echo "made secrets/$1"
    fi
}

# 32 random bytes, in letters that need no escape anywhere.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

make database-password "$(random)"
make admin-token "$(random)"
make school "$(random)"
# The sandbox takes any key. Put that of your Quentli organisation in its place.
make quentli-api-key sk_any
