#!/usr/bin/env bash
# Runs the examples for schedulers without the schedulers: the image's build commands and its program as it would run in the
# image, make itself, Slurm's scripts with tasks out of order and one twice, the command lines in the manifests for
# Kubernetes and Argo, and the tasks of the Airflow DAG. Every one must make a table that decrypts to the same bytes.
#
#   bash examples/validate.sh
#
# Needs Go, make, python3 with PyYAML, openssl and, for the container, root or user namespaces; it says so loudly where it
# has to do with less.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
loudly() { printf '\n!!! %s\n\n' "$1" >&2; }
step() { printf '\n-- %s  (%ds)\n' "$1" "$SECONDS"; }
fail() { printf 'examples/validate.sh: %s\n' "$1" >&2; exit 1; }
export XDG_CONFIG_HOME=$work/config # receipts are signed by a key of this run

step "Dockerfile: what is built, by the commands of its first stage"
python3 examples/context.py .dockerignore "$work/src"
python3 examples/stage.py Dockerfile "$work" > "$work/build.sh"
(cd "$work/src" && sh -eu "$work/build.sh")
program=$work/out/cipherfold
file "$program" | grep -q 'statically linked' || fail "the program is not static: $(file "$program")"
if ldd "$program" >/dev/null 2>&1; then fail "the program needs libraries: $(ldd "$program")"; fi
grep -qx 'USER 65532:65532' Dockerfile || fail "the image runs as root"
PATH=$work/out:$PATH

# The container: an empty root with what the image has, and the volumes.
root=$work/root
mkdir -p "$root/tmp" "$root/work" "$root/data" "$root/etc/cipherfold" "$root/etc/cipherfold-receipt"
chmod 1777 "$root/tmp"
cp "$program" "$root/cipherfold"
cp testdata/brain-north.tsv "$root/data/"
cp examples/nightly.toml "$root/etc/cipherfold/"
openssl genpkey -algorithm ed25519 -out "$root/etc/cipherfold-receipt/receipt.key"
chmod -R a+rX "$work" "$root"
chmod 777 "$root/work"
if [ "$(id -u)" = 0 ] && chroot --userspec=65532:65532 "$root" /cipherfold --help >/dev/null 2>&1; then
	contained() { env -i "${environment[@]}" "$(command -v chroot)" --userspec=65532:65532 "$root" /cipherfold "$@"; }
elif unshare --user --map-current-user --root="$root" /cipherfold --help >/dev/null 2>&1; then
	contained() { env -i "${environment[@]}" "$(command -v unshare)" --user --map-current-user --root="$root" /cipherfold "$@"; }
else
	loudly "no chroot and no user namespace here: the container's commands run outside, with other paths"
	contained() {
		local arguments=() setting
		for argument in "$@"; do
			case $argument in /*) argument=$root$argument ;; esac
			arguments+=("$argument")
		done
		for i in "${!environment[@]}"; do environment[i]=${environment[i]/=\//=$root/}; done
		env -i "${environment[@]}" "$program" "${arguments[@]}"
	}
fi
environment=(X=)
contained selftest --quiet >/dev/null
if contained inspect /nothing 2>"$work/error"; then fail "inspect of nothing succeeds"; fi
grep -q '/nothing: no such file' "$work/error" || fail "$(cat "$work/error")"

step "what comes out when no scheduler is there"
cipherfold keygen --out "$work/keys" --plain --bits 2048 --quiet >/dev/null
export DATE=2026-11-22 DATA=$repository/testdata JOB=$repository/examples/nightly.toml
opened() { cipherfold decrypt --quiet --unfused --key "$work/keys/secret.json" --in "$1" --out "$2" >/dev/null; }
cipherfold encrypt --quiet --key "$work/keys/public.json" --in testdata/brain-north.tsv --out "$work/plain.cf.parquet" \
	--id gene,region --measure expression:decimals=1:max=10000 --receipt "$work/plain.receipt.json" >/dev/null
opened "$work/plain.cf.parquet" "$work/plain.csv"
table=north-$DATE.cf.parquet
compare() { # NAME DIRECTORY COMMAND...: the table, and the job's receipt, where the job saw both
	local name=$1 directory=$2
	shift 2
	opened "$directory/$table" "$work/$name.csv"
	cmp "$work/plain.csv" "$work/$name.csv" || fail "$name made another table"
	"$@" >"$work/verified" || fail "$name: the receipt is wrong"
	grep -q 'The signature is right, and 2 files are as the receipt says.' "$work/verified" || fail "$name: $(cat "$work/verified")"
	set -- "$name"
	echo "   $1: $(($(wc -l < "$work/$1.csv") - 1)) records, the same as at once"
}
begin() { # NAME: a directory with the public key
	export WORK=$work/$1
	mkdir "$WORK"
	cp "$work/keys/public.json" "$WORK/"
}

step "make"
begin make
make --silent -C examples/make -j 4 >/dev/null
verified() { cipherfold verify --anywhere --base "$WORK" "$WORK/jobs/north-$DATE/receipt.json" --public-key "$XDG_CONFIG_HOME/cipherfold/receipt.key.pub"; }
compare make "$WORK" verified
make --silent -C examples/make -j 4 >/dev/null # once more does nothing, and is no error
rm "$WORK/public.json"
if make --silent -C examples/make >/dev/null 2>"$work/error"; then fail "make without a key succeeds"; fi
grep -q "put the key holder's public.json" "$work/error" || fail "$(cat "$work/error")"

step "Slurm: an array job whose tasks come out of order, one of them twice"
begin slurm
mkdir "$work/bin"
cat > "$work/bin/sbatch" <<'FAKE'
#!/usr/bin/env bash
# Runs a batch script at once, an array task by task.
set -eu
script=${@: -1}
array=$(sed -n 's/^#SBATCH --array=1-//p' "$script")
if [ -z "$array" ]; then exec sh "$script"; fi
export SLURM_ARRAY_TASK_COUNT=$array SLURM_CPUS_PER_TASK=2
for i in $(seq "$array" -1 1) 2; do SLURM_ARRAY_TASK_ID=$i sh "$script" >&2; done
echo 4711
FAKE
chmod +x "$work/bin/sbatch"
PATH=$work/bin:$PATH sh examples/slurm/submit.sh >/dev/null 2>"$work/error" || fail "$(cat "$work/error")"
compare slurm "$WORK" verified

# manifest NAME FILE...: runs the command lines of manifests in the container.
manifest() {
	local name=$1
	shift
	rm -rf "$root/work"
	mkdir -m 777 "$root/work"
	cp "$work/keys/public.json" "$root/work/"
	chmod a+r "$root/work/public.json"
	python3 examples/commands.py "$@" > "$work/commands"
	[ "$(wc -l < "$work/commands")" -ge 5 ] || fail "$name has $(wc -l < "$work/commands") commands"
	local line
	while read -r line; do
		eval "$line" # sets `environment` and `arguments`; every word is quoted by commands.py
		contained "${arguments[@]}" >/dev/null 2>"$work/error" || fail "$name: ${arguments[*]}: $(cat "$work/error")"
	done < "$work/commands"
	compare "$name" "$root/work" contained verify --anywhere --base /work "/work/jobs/north-$DATE/receipt.json"
}
if ! python3 -c 'import yaml' 2>/dev/null; then fail "needs PyYAML: apt-get install python3-yaml"; fi
step "Kubernetes: the pods of an Indexed Job, and the merge"
manifest kubernetes examples/kubernetes/shards.yaml examples/kubernetes/merge.yaml
step "Argo: plan, shards, merge"
manifest argo examples/argo/nightly.yaml

step "Airflow: the tasks of the DAG, in the order of their dependencies"
begin airflow
python3 examples/airflow/check.py > "$work/tasks"
while read -r task; do
	bash -euc "$task" >/dev/null 2>"$work/error" || fail "airflow: $task: $(cat "$work/error")"
done < "$work/tasks"
compare airflow "$WORK" verified
[ "$(grep -c '"eventType":"COMPLETE"' "$WORK/lineage.jsonl")" = 5 ] || fail "the lineage is not that of five tasks"

step "receipts: checked by the program, and by openssl as docs/file-format.md says"
cipherfold verify --anywhere "$work/plain.receipt.json" --public-key "$XDG_CONFIG_HOME/cipherfold/receipt.key.pub" >/dev/null
mkdir "$work/check"
awk '/^## Checking a receipt without/ { here = 1 } here && /^```$/ { exit } here && code { print } here && /^```sh/ { code = 1 }' docs/file-format.md > "$work/check/check.sh"
(
	cd "$work/check"
	cp "$work/plain.receipt.json" receipt.json
	cp "$XDG_CONFIG_HOME/cipherfold/receipt.key.pub" .
	sh -eu check.sh >/dev/null
	sed -i 's/A/B/' receipt.json
	if sh -eu check.sh >/dev/null 2>&1; then fail "openssl takes a changed receipt"; fi
)
if cipherfold verify "$work/check/receipt.json" >/dev/null 2>&1; then fail "verify takes a changed receipt"; fi

step "done"
