"""Write the tables of the README files from what was measured.

    python benchmarks/race.py -o benchmarks/race.json
    python -m pytest benchmarks -p benchmark --benchmark-json=benchmarks/stages.json
    python benchmarks/report.py benchmarks/race.json benchmarks/stages.json

(`make bench` and `make tables` do that.) What stands between the two marker comments is replaced,
in README.md by a summary and in benchmarks/README.md by everything; nobody types a figure.

Several pictures are summed up by geometric means, of times and of errors alike, so that the ratio
of two means is the mean of the ratios.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

__all__ = ["BEGIN", "END", "details", "distinct", "mean", "number", "replace_between_markers", "select", "summary"]

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"

OURS = "kmc.compress"
FAST = "kmc.compress, effort fast"

Record: TypeAlias = dict[str, Any]


class Bound(NamedTuple):
    """A ratio that is watched: of one field, ours by theirs."""

    title: str
    field: str
    ours: str
    theirs: str


BOUNDS = (
    Bound("time / FASTOCTREE", "seconds", OURS, "Pillow FASTOCTREE"),
    Bound("time / quantette k-means", "seconds", OURS, "quantette k-means, Oklab"),
    Bound("time / scikit-learn, distinct colours", "seconds", OURS, "scikit-learn KMeans, distinct colours"),
    Bound("MSE / scikit-learn, distinct colours", "mse", OURS, "scikit-learn KMeans, distinct colours"),
    Bound("fast: time / quantette Wu, sRGB", "seconds", FAST, "quantette Wu, sRGB"),
    Bound("fast: MSE / default", "mse", FAST, OURS),
)


def summary(race: Record) -> str:
    """Turn the race into one table: for the middle number of colours, time and error at each size."""
    records = race["records"]
    ks = distinct(records, "k")
    k = ks[len(ks) // 2]
    shown = select(records, k=k)
    sizes = sorted(distinct(shown, "megapixels"))
    header = [f"k={k}", *(cell for size in sizes for cell in (f"{size:g} MP: ms", "MSE"))]
    rows = [
        [bold(name), *(cell for size in sizes for cell in rival_cells(select(shown, megapixels=size), name))]
        for name in distinct(shown, "rival")
    ]
    return "\n\n".join([describe_machine(race["machine"]), explain(records), table(header, rows)])


def details(race: Record, stages: Record) -> str:
    """Turn everything into Markdown."""
    records = race["records"]
    blocks = [describe_machine(race["machine"]), explain(records)]
    sizes = sorted(distinct(records, "megapixels"))
    blocks += [rivals_table(select(records, megapixels=size)) for size in sizes]
    blocks.append("What is watched, means and the worst picture:")
    blocks.append(bounds_table(records))
    blocks.append(settings_list(records))
    blocks += absences(race)
    timed = [{**benchmark["extra_info"], "seconds": benchmark["stats"]["median"]} for benchmark in stages["benchmarks"]]
    if timed:
        machine = stages["machine_info"]["kmc"]
        bandwidth = machine["bytes_per_second"]
        blocks.append(describe_machine(machine))
        blocks.append(
            f"Its memory is read at {bandwidth / 1e9:.1f} GB/s. Each stage must move its input and its result once; "
            "the times in brackets are in units of what the memory needs for that."
        )
        blocks += [stages_table(select(timed, picture=picture), bandwidth) for picture in distinct(timed, "picture")]
    return "\n\n".join(blocks)


def describe_machine(machine: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"kmc's {machine['instruction_set']} kernels; {machine['threads']} threads for everything that can use them; "
        f"{versions}."
    )


def explain(records: Sequence[Record]) -> str:
    rounds = max(record["rounds"] for record in records)
    return (
        f"Times are medians of up to {rounds} rounds in turn, array in, palette and "
        f"indices out; in brackets that time or error divided by that of {OURS}. Pictures, made smaller or tiled: "
        f"{', '.join(distinct(records, 'picture'))}; geometric means over them. MP: megapixels."
    )


def rivals_table(records: Sequence[Record]) -> str:
    """Table of one size: a row for each rival, for each k its time and error."""
    ks = sorted(distinct(records, "k"))
    has_memory = any("peak_mib" in record for record in records)
    header = [
        f"{records[0]['megapixels']:g} megapixels",
        *(cell for k in ks for cell in (f"k={k}: ms", "MSE")),
        *(["peak MiB"] if has_memory else []),
    ]
    rows = []
    for name in distinct(records, "rival"):
        row = [bold(name), *(cell for k in ks for cell in rival_cells(select(records, k=k), name))]
        rows.append([*row, *([memory(records, name)] if has_memory else [])])
    return table(header, rows)


def rival_cells(records: Sequence[Record], rival: str) -> list[str]:
    """Time and error of one rival, and both divided by ours on the same pictures."""
    found = select(records, rival=rival)
    if not found:
        return ["", ""]
    return [
        number(1000 * mean(found, "seconds")) + in_brackets(ratios(records, "seconds", rival, OURS), rival),
        number(mean(found, "mse")) + in_brackets(ratios(records, "mse", rival, OURS), rival),
    ]


def in_brackets(quotients: Sequence[float], rival: str) -> str:
    return f" ({number(geometric(quotients))})" if quotients and rival != OURS else ""


def memory(records: Sequence[Record], rival: str) -> str:
    peaks = [record["peak_mib"] for record in select(records, rival=rival) if record.get("peak_mib") is not None]
    return number(max(peaks)) if peaks else ""


def bounds_table(records: Sequence[Record]) -> str:
    """Table of the ratios that are watched: a row for each size and k."""
    header = ["megapixels", "k", *(bound.title for bound in BOUNDS)]
    rows = []
    for size in sorted(distinct(records, "megapixels")):
        for k in sorted(distinct(records, "k")):
            cell = select(records, megapixels=size, k=k)
            rows.append([f"{size:g}", str(k), *(bound_cell(cell, bound) for bound in BOUNDS)])
    return table(header, rows)


def bound_cell(records: Sequence[Record], bound: Bound) -> str:
    quotients = ratios(records, bound.field, bound.ours, bound.theirs)
    return f"{number(geometric(quotients))} ({number(max(quotients))})" if quotients else ""


def ratios(records: Sequence[Record], field: str, ours: str, theirs: str) -> list[float]:
    """Divide one rival's figures by another's, on each picture that both were measured on."""
    divisors = {(record["picture"], record["k"]): record[field] for record in select(records, rival=theirs)}
    pairs = [(record[field], divisors.get((record["picture"], record["k"]))) for record in select(records, rival=ours)]
    return [value / divisor for value, divisor in pairs if divisor]


def mean(records: Sequence[Record], field: str) -> float:
    return geometric([record[field] for record in records])


def geometric(values: Sequence[float]) -> float:
    if not all(values):
        return 0.0
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def settings_list(records: Sequence[Record]) -> str:
    settings = {record["rival"]: record["settings"] for record in records}
    return "How each was called:\n\n" + table(["", "settings"], settings.items())


def absences(race: Record) -> list[str]:
    """Say which rivals are missing, and which were too slow where."""
    blocks = [f"Not measured: {name} ({reason})." for name, reason in race["absent"].items()]
    for name in distinct(race["left_out"], "rival"):
        cells = dict.fromkeys(
            f"{r['megapixels']:g} megapixels k={r['k']}" for r in select(race["left_out"], rival=name)
        )
        blocks.append(f"{name} was left out, as too slow, at {', '.join(cells)}.")
    return ["\n".join(f"- {block}" for block in blocks)] if blocks else []


def stages_table(records: Sequence[Record], bandwidth: float) -> str:
    """Table of one picture: a row for each stage, what it moves, its time for each k and the ratio to the memory's."""
    ks = distinct(records, "k")
    header = ["stage of kmc", "MB", "memory: ms", *(f"k={k}: ms" for k in ks), "what it does"]
    rows = []
    for name in distinct(records, "stage"):
        found = [first(select(records, stage=name, k=k)) for k in ks]
        some = select(records, stage=name)[0]
        least = some["moved"] / bandwidth
        times = [
            f"{number(1000 * record['seconds'])} ({number(record['seconds'] / least)})" if record else ""
            for record in found
        ]
        rows.append([name, number(some["moved"] / 1e6), number(1000 * least), *times, some["meaning"]])
    return f"**{records[0]['picture']}**, stage by stage:\n\n" + table(header, rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; all columns but the first are aligned right, words left."""
    alignment = ["---" if name in ("", header[0], "settings", "what it does") else "---:" for name in header]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, alignment, *rows])


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 3)}f}"


def distinct(records: Iterable[Record], field: str) -> list[Any]:
    return list(dict.fromkeys(record[field] for record in records))


def select(records: Iterable[Record], **wanted: Any) -> list[Record]:
    return [record for record in records if wanted.items() <= record.items()]


def first(records: Sequence[Record]) -> Record | None:
    return records[0] if records else None


def replace_between_markers(text: str, content: str) -> str:
    """Put `content` between the markers, in place of what was there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"there is no {BEGIN} with {END} after it; add the two lines")
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


def bold(name: str) -> str:
    return f"**{name}**" if name in (OURS, FAST) else name


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the tables of README.md and benchmarks/README.md.")
    parser.add_argument("race", type=Path, help="what race.py wrote")
    parser.add_argument("stages", type=Path, help="what --benchmark-json wrote")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="gets the summary (%(default)s)")
    parser.add_argument("--details", type=Path, default=Path("benchmarks/README.md"), help="gets all (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        race, stages = (json.loads(path.read_text(encoding="utf-8")) for path in (options.race, options.stages))
        contents = {options.readme: summary(race), options.details: details(race, stages)}
        texts = {
            path: replace_between_markers(path.read_text(encoding="utf-8"), content)
            for path, content in contents.items()
        }
    except (OSError, ValueError) as error:
        sys.exit(f"report: nothing was written: {error}")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
