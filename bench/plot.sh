#!/bin/sh
# plot.sh RESULTS.json DIRECTORY - PNG plots of a run, by gnuplot; says so and succeeds where there is none.
# The results have one case to a line, so that sed can take the figures out.
set -eu
results=$1 dir=$2
command -v gnuplot >/dev/null 2>&1 || { echo "bench: no plots: gnuplot is not here (gnuplot-nox)"; exit 0; }
[ -r "$results" ] || { echo "bench: no plots: $results is not there; make bench writes it" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# figures PLACE ID-PREFIX: lines "number-at-the-end-of-the-id median min max"
figures() {
        sed -n 's/^{"id":"'"$2"'\.\([0-9x]*\)".*"'"$1"'":{"n":[0-9]*,"disturbed":[0-9]*,"median":\([0-9.]*\),"min":\([0-9.]*\),"max":\([0-9.]*\)}.*/\1 \2 \3 \4/p' "$results" |
                sed 's/^1x\([0-9]*\) /\1 /; s/^\([0-9]*\)x1 /\1 /'
}
# draw NAME TITLE XLABEL YLABEL SCALE PLACE "PREFIX=LABEL" ...
draw() {
        name=$1 title=$2 xlabel=$3 ylabel=$4 scale=$5 place=$6
        shift 6
        plots=
        for series; do
                data=$tmp/$name-$place-${series%%=*}
                figures "$place" "${series%%=*}" >"$data"
                [ -s "$data" ] || continue
                plots="$plots${plots:+, }'$data' using 1:(\$2*$scale):(\$3*$scale):(\$4*$scale) with yerrorlines title '${series#*=}'"
        done
        [ -n "$plots" ] || return 0
        gnuplot <<PLOT
set terminal pngcairo size 900,540 font 'sans,10'
set output '$dir/$name-$place.png'
set title '$title ($place); medians, min and max'
set xlabel '$xlabel'
set ylabel '$ylabel'
set logscale x 2
set logscale y 10
set grid
set format x '%.0f'
set rmargin 6
set key right top
plot $plots
PLOT
        echo "bench: $dir/$name-$place.png"
}
for place in near far siblings shared; do
        draw sizes "Stream 1 to 1" "payload, bytes" "million messages a second" 1e-6 $place \
                "size.ring=slot ring, copied" "size.ringip=slot ring, in place" "size.torc=torc, send + recv" \
                "size.torcip=torc, claim + view"
        draw round-trips "Round trip, spinning" "payload, bytes" "nanoseconds" 1 $place \
                "rtsize.line=bare cache lines" "rtsize.torc=torc"
        draw capacities "Stream 1 to 1 of 32 bytes" "capacity, KiB" "million messages a second" 1e-6 $place \
                "cap.ring=slot ring" "cap.torc=torc, send + recv" "cap.torc64=torc, batch of 64 + poll"
        draw producers "Stream to one consumer, 32 bytes" "producers" "million messages a second" 1e-6 $place \
                "producers.torc=torc, send + recv"
        draw consumers "Stream from one producer, 32 bytes" "consumers" "million messages a second at each" 1e-6 $place \
                "consumers.torc=torc, send + recv"
        draw waits "Stream 1 to 1 of 32 bytes, torc" "batch" "million messages a second" 1e-6 $place \
                "wait.spin=spin" "wait.yield=yield" "wait.block=block"
done
