"""Write the tables of README.md from what pytest-benchmark measured.

    python -m pytest benchmarks -p benchmark --benchmark-json=benchmarks/results.json
    python benchmarks/report.py benchmarks/results.json README.md

(`make bench` and `make tables` do that.) What stands between the two marker comments is
replaced; nobody types a figure.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["BEGIN", "END", "render", "replace_between_markers"]

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"

OURS = "kmc.compress"

Record: TypeAlias = dict[str, Any]


def render(document: Record) -> str:
    """Turn the content of the JSON file into Markdown."""
    records = [
        {**benchmark["extra_info"], "ms": 1000 * benchmark["stats"]["median"]} for benchmark in document["benchmarks"]
    ]
    rivals = [record for record in records if "rival" in record]
    stages = [record for record in records if "stage" in record]
    blocks = [describe_machine(document)]
    pictures = distinct(rivals, "picture")
    blocks += [rivals_table(select(rivals, picture=picture)) for picture in pictures]
    if rivals:
        blocks.append(settings_list(rivals))
    pictures = distinct(stages, "picture")
    blocks += [stages_table(select(stages, picture=picture)) for picture in pictures]
    return "\n\n".join(blocks)


def describe_machine(document: Record) -> str:
    info = document["machine_info"]
    ours = info["kmc"]
    versions = ", ".join(f"{name} {version}" for name, version in ours["versions"].items())
    return (
        f"Measured on {document['datetime'][:10]}: {info['cpu']['brand_raw']}, "
        f"{ours['cores']} cores, {info['system']}; kmc's {ours['instruction_set']} kernels; "
        f"{ours['threads']} threads for everything that can use them; {versions}. Times are "
        "medians, array in, palette and indices out."
    )


def rivals_table(records: Sequence[Record]) -> str:
    """Table of one picture: a row for each rival, for each k its time and error."""
    ks = distinct(records, "k")
    header = ["", *(cell for k in ks for cell in (f"k={k}: ms", "MSE (PSNR)")), "peak MiB"]
    rows = []
    for name in distinct(records, "rival"):
        row = [f"**{name}**" if name == OURS else name]
        for k in ks:
            ours = first(select(records, rival=OURS, k=k))
            row += rival_cells(first(select(records, rival=name, k=k)), ours)
        rows.append([*row, memory(records, name)])
    size = f"{records[0]['width']} x {records[0]['height']}"
    return (
        f"**{records[0]['picture']}**, {size} pixels; in brackets behind a time, that time "
        f"divided by the time of {OURS}; memory at its peak for k={ks[-1]}, beyond the picture:\n\n"
        + table(header, rows)
    )


def rival_cells(record: Record | None, ours: Record | None) -> list[str]:
    if record is None:
        return ["", ""]
    ratio = f" ({number(record['ms'] / ours['ms'])})" if ours and record is not ours else ""
    psnr = f"{record['psnr']:.2f} dB" if math.isfinite(record["psnr"]) else "exact"
    return [number(record["ms"]) + ratio, f"{number(record['mse'])} ({psnr})"]


def memory(records: Sequence[Record], rival: str) -> str:
    peak = select(records, rival=rival)[-1]["peak_mib"]
    return "" if peak is None else number(peak)


def settings_list(records: Sequence[Record]) -> str:
    settings = {record["rival"]: record["settings"] for record in records}
    lines = "\n".join(f"- {name}: {text}" for name, text in settings.items())
    return f"How each was called:\n\n{lines}"


def stages_table(records: Sequence[Record]) -> str:
    """Table of one picture: a row for each stage, its time for each k."""
    ks = distinct(records, "k")
    header = ["stage of kmc", *(f"k={k}: ms" for k in ks), "what it does"]
    rows = []
    for name in distinct(records, "stage"):
        found = [first(select(records, stage=name, k=k)) for k in ks]
        times = [number(record["ms"]) if record else "" for record in found]
        rows.append([name, *times, select(records, stage=name)[0]["meaning"]])
    return f"**{records[0]['picture']}**, stage by stage:\n\n" + table(header, rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; all columns but the first are aligned right, words left."""
    alignment = ["---" if name in ("", header[0], "what it does") else "---:" for name in header]
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write README.md's tables from measurements.")
    parser.add_argument("measurements", type=Path, help="what --benchmark-json wrote")
    parser.add_argument("readme", type=Path, nargs="?", default=Path("README.md"))
    options = parser.parse_args(arguments)
    try:
        content = render(json.loads(options.measurements.read_text(encoding="utf-8")))
        text = options.readme.read_text(encoding="utf-8")
        options.readme.write_text(replace_between_markers(text, content), encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"report: {options.readme} was not written: {error}")


if __name__ == "__main__":
    main()
