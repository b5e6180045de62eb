#!/usr/bin/env bash
# Opens a report in headless Chromium, at two widths, and fails when a reader would stumble: overlapping or clipped text,
# tables wider than the page, pale text, axes without unit or key size. Installs Chromium by apt where it is missing.
# Usage: run.sh [REPORT.html [DRAWINGS [WIDTHS]]]    without a report, makes a quick one; it must have so many drawings (6)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -gt 0 ]; then
	report=$1
	drawings=${2:-6}
else
	(cd "$here/../../.." && CGO_ENABLED=0 go build -o "$work/cipherfold" ./cmd/cipherfold)
	"$work/cipherfold" bench papers --paper 1 --quick --out "$work/report" --quiet >/dev/null
	report=$work/report/paper1.html
	drawings=6
fi
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
	apt-get update -qq && apt-get install -y -qq chromium
	browser=chromium
fi

# The check is added to a copy: the report itself has no script.
{ cat "$report"; echo "<script>"; cat "$here/check.js"; echo "</script>"; } >"$work/page.html"
for width in ${3:-1280 700}; do
	"$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --user-data-dir="$work/profile-$width" --window-size=$width,1000 \
		--virtual-time-budget=10000 --dump-dom "file://$work/page.html" 2>"$work/log" >"$work/dom.html" || { cat "$work/log"; exit 1; }
	found=$(sed -n '/<pre id="reading-report">/,/^end of report/p' "$work/dom.html" | sed 's/.*<pre id="reading-report">//')
	echo "$(basename "$report"), $width pixels wide: $found" | grep -v '^end of report'
	case $found in
	*", drawings $drawings, findings 0"*) ;;
	"") echo "the browser did not run the check"; cat "$work/log"; exit 1 ;;
	*) exit 1 ;;
	esac
done
