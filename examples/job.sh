#!/bin/sh
# A job that is killed goes on where it was, a job that is done is not done again, and shards make the same table. At the
# end the results are compared with those of the verbs one by one.
#
#   sh examples/job.sh
#
# Needs sh and go. CIPHERFOLD=/path/to/cipherfold uses a program that is built already.
set -eu
cd "$(dirname "$0")/.."
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM
XDG_CONFIG_HOME=$top/config # receipts are signed by a key of this run
export XDG_CONFIG_HOME

if [ -z "${CIPHERFOLD:-}" ]; then
	go build -o "$top/cipherfold" ./cmd/cipherfold
	CIPHERFOLD=$top/cipherfold
fi
cipherfold() { "$CIPHERFOLD" --quiet "$@"; }
begin() { # a directory with the keys
	WORK=$top/$1
	export WORK
	mkdir -p "$WORK/keys" "$WORK/fused"
	cp "$top"/keys/* "$WORK/keys/"
	cp "$top/passphrase" "$WORK/"
}

echo "1. Keys, and what the verbs one by one make."
(umask 077; echo "correct horse battery staple" > "$top/passphrase")
cipherfold keygen --out "$top/keys" --bits 2048 --passphrase-file "$top/passphrase" > /dev/null
begin verbs
for bank in north south west; do
	cipherfold encrypt --key "$WORK/keys/public.json" --in "testdata/brain-$bank.tsv" --out "$WORK/$bank.cf.parquet" \
		--id gene,region --measure expression:decimals=1:max=10000 --square expression > /dev/null
done
cipherfold fuse --in "$WORK/*.cf.parquet" --out "$WORK/fused/genes.cf.parquet" --by gene --min-group 5 > /dev/null
cipherfold decrypt --key "$WORK/keys/secret.age" --passphrase-file "$WORK/passphrase" \
	--in "$WORK/fused/genes.cf.parquet" --out "$WORK/sums.csv" > /dev/null
compare() { cmp "$top/verbs/sums.csv" "$WORK/sums.csv" && echo "   the same bytes"; }

echo "2. The plan."
begin run
cipherfold plan examples/job.toml

echo "3. The job, killed as soon as it has made a part, and resumed."
"$CIPHERFOLD" --quiet run examples/job.toml > /dev/null &
job=$!
while kill -0 "$job" 2> /dev/null && ! ls "$WORK"/jobs/brain/parts/*.parquet > /dev/null 2>&1; do sleep 0.01; done
kill -9 "$job" 2> /dev/null || true
wait "$job" 2> /dev/null || true
cipherfold inspect "$WORK/jobs/brain"
cipherfold run examples/job.toml --resume
compare
ls "$WORK/jobs/brain"

echo "4. Again: nothing is done twice. The receipt says what was done."
cipherfold run examples/job.toml | tail -n 1
cipherfold verify --anywhere "$WORK/jobs/brain/receipt.json" > /dev/null

echo "5. The same job in two shards, level by level."
begin shards
for level in 1 2 3; do
	cipherfold shard examples/job.toml 2/2
	cipherfold shard examples/job.toml 1/2
	cipherfold merge examples/job.toml > /dev/null
done
compare
