"""The report of one replay: a single self-contained HTML file, in light and dark."""

from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from robot_vision.replay.reporting.report_parts import html_chart, html_section, html_table
from robot_vision.viz.svg import COLORS, Bar, gantt, percent_bar

MOST_TRACKS = 60
MOST_DRIFTS = 200
MOST_CLASSES = 30
_PAIRING = {
    "out_of_tolerance": "depth more than sync.tolerance_s away",
    "no_depth": "no depth recorded",
    "late": "depth missing",
}
_VERDICTS = {"pass": "pass", "regression": "regression", "failed": "could not run"}


def write_report(path: Path, result: dict[str, Any]) -> None:
    """Write the HTML report of a result of `run_job`; a failed one gets its error and inputs."""
    sections: list[Callable[[dict[str, Any]], str]] = [_head, _drifts]
    if "figures" in result:
        sections += [_notes, _objects, _tracks, _pictures, _classes, _words, _ages]
        sections += [_depth, _inputs, _settings]
    body = "\n".join(section(result) for section in sections)
    template = (
        files("robot_vision.replay.reporting").joinpath("static/report.html").read_text("utf-8")
    )
    colors = "\n".join(
        f".line.c{n} {{ stroke: var(--c{n}); }} .bar.c{n} {{ fill: var(--c{n}); }} "
        f".swatch.c{n} {{ background: var(--c{n}); }}"
        for n in range(1, COLORS + 1)
    )
    html = Template(template).substitute(title=escape(result["bag"]), colors=colors, body=body)
    # A file name may not be valid UTF-8.
    path.write_text(html, encoding="utf-8", errors="backslashreplace")


def _head(result: dict[str, Any]) -> str:
    status = result["status"]
    lines = [
        f'<span class="verdict {status}">{_VERDICTS[status]}</span>',
        f"<h1>{escape(result['bag'])}</h1>",
        f'<p class="muted"><code>{escape(result["path"])}</code></p>',
    ]
    if result["error"]:
        lines.append(f"<p>{escape(result['error'])}</p>")
    if "figures" in result:
        lines.append(_facts(result))
        digest = result["figures"]["digest"]
        lines.append(f'<p class="muted" style="margin-top:14px">digest <code>{digest}</code></p>')
    return "<header>" + "\n".join(lines) + "</header>"


def _facts(result: dict[str, Any]) -> str:
    figures, run = result["figures"], result["run"]
    dropped = sum(run["dropped"].values())
    facts = [
        (f"{figures['frames']}", "frames processed"),
        (f"{dropped + run['undecodable']}", "frames dropped or damaged"),
        (f"{figures['duration_s']:.1f} s", "recorded"),
        (f"{run['times_real_time']:.1f}×", "real time"),
        (f"{len(figures['tracks'])}", "tracks"),
        (f"{len(figures['id_switches'])}", "id switches"),
        (f"{escape(figures['model'])}", f"on {escape(run['provider'])}"),
    ]
    cells = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for value, name in facts)
    return f'<div class="facts">{cells}</div>'


def _drifts(result: dict[str, Any]) -> str:
    drifts = result["drifts"]
    if not drifts:
        return ""
    rows = [
        [escape(d[key]) for key in ("figure", "expected", "actual", "tolerance", "where")]
        for d in drifts[:MOST_DRIFTS]
    ]
    table = html_table(["figure", "expected", "actual", "tolerance", "where"], rows)
    return html_section(f"{len(drifts)} figures beyond tolerance", table)


def _objects(result: dict[str, Any]) -> str:
    names = (("objects", "confirmed tracks", 1), ("detections", "detections", 2))
    chart = html_chart(result, (*names, ("coasting", "coasting tracks", 3)), y_label="per frame")
    figures = result["figures"]
    counts = [
        [escape(name), f"{count}", f"{figures['tracks_by_class'].get(name, 0)}"]
        for name, count in sorted(
            figures["detections_by_class"].items(), key=lambda item: -item[1]
        )
    ]
    table = html_table(["class", "detections", "tracks"], counts, numbers={1, 2})
    return html_section("Objects", chart + table)


def _notes(result: dict[str, Any]) -> str:
    """What the pipeline missed, for example intrinsics; empty if nothing."""
    notes = [[escape(n), f"{count}"] for n, count in result["figures"]["notes"].items()]
    if not notes:
        return ""
    return html_section("Notes", html_table(["note", "frames"], notes, numbers={1}))


def _tracks(result: dict[str, Any]) -> str:
    figures = result["figures"]
    classes = sorted({row["class"] for row in figures["tracks"]})
    longest = sorted(figures["tracks"], key=lambda row: -row["frames"])[:MOST_TRACKS]
    bars = [
        Bar(
            label=f"{row['class']} {row['id']}",
            start=row["first_s"],
            end=row["last_s"],
            color=classes.index(row["class"]) % COLORS + 1,
            title=f"track {row['id']}, {row['class']}: {row['frames']} frames confirmed, "
            f"{row['coasted_frames']} coasting, {row['first_s']:.2f} to {row['last_s']:.2f} s",
        )
        for row in sorted(longest, key=lambda row: (row["first_s"], row["id"]))
    ]
    marks = [
        (s["start_s"], f"frame {s['frame']}: track {s['old_id']} may have become {s['new_id']}")
        for s in figures["id_switches"]
    ]
    text = gantt(bars, x_end=figures["duration_s"], marks=marks) if bars else "<p>No tracks.</p>"
    if marks:
        text += (
            '<p class="muted">Dashed lines: a track began where another of its class had been '
            "lost within a second: a possible id switch.</p>"
        )
    if len(figures["tracks"]) > MOST_TRACKS:
        text += f'<p class="muted">The {MOST_TRACKS} longest of {len(figures["tracks"])}.</p>'
    return html_section("Tracks", text)


def _pictures(result: dict[str, Any]) -> str:
    pictures = "".join(
        f'<figure><img alt="frame {t["frame"]} with overlay" '
        f'src="data:image/jpeg;base64,{t["jpeg_base64"]}">'
        f"<figcaption>frame {t['frame']}: {escape(t['why'])}</figcaption></figure>"
        for t in result.get("thumbnails", [])
    )
    if not pictures:
        return ""
    return html_section("Notable frames", f'<div class="pictures">{pictures}</div>')


def _ages(result: dict[str, Any]) -> str:
    stages = {name: s for name, s in result["figures"]["stage_s"].items() if s}
    slowest_s = max((summary["p95"] for summary in stages.values()), default=1.0) or 1.0
    rows = [
        [
            escape(stage),
            *(f"{1e3 * summary[key]:.2f}" for key in ("p50", "p95", "p99", "max")),
            percent_bar(summary["p95"] / slowest_s, 1),
        ]
        for stage, summary in stages.items()
    ]
    table = html_table(
        ["stage", "p50 ms", "p95 ms", "p99 ms", "max ms", "p95"], rows, numbers={1, 2, 3, 4}
    )
    chart = html_chart(result, (("processing_ms", "processing", 1),), y_label="ms per frame")
    return html_section("Ages per stage", chart + table)


def _depth(result: dict[str, Any]) -> str:
    windows = result["figures"]["windows"]
    if not any("depth_coverage" in row for row in windows):
        return html_section("Depth", "<p>Neither the recording nor the model provided depth.</p>")
    coverage = html_chart(
        result, (("depth_coverage", "coverage", 1),), y_label="share of pixels", y_max=1.0
    )
    median = html_chart(result, (("depth_median_m", "median depth", 2),), y_label="median depth m")
    return html_section("Depth", coverage + median)


def _classes(result: dict[str, Any]) -> str:
    """Classes of whole frames; empty without such a model."""
    figures, parts = result["figures"], []
    if (said := figures.get("classification")) is not None:
        rows = [
            [escape(name), f"{said['top1'].get(name, 0)}", f"{mean:.3f}"]
            for name, mean in sorted(said["probability"].items(), key=lambda item: -item[1])
        ]
        titles = ["class of the frame", "frames most likely", "mean probability"]
        line = (("top_probability", "probability of the most likely class", 1),)
        parts += [html_chart(result, line, y_label="probability", y_max=1.0)]
        parts += [html_table(titles, rows[:MOST_CLASSES], numbers={1, 2})]
    if (said := figures.get("segmentation")) is not None:
        shares = sorted(said["share"].items(), key=lambda item: -item[1])
        rows = [[escape(name), f"{share:.1%}"] for name, share in shares[:MOST_CLASSES]]
        line = (("labelled_share", "pixels of any class", 2),)
        parts += [html_chart(result, line, y_label="share of pixels", y_max=1.0)]
        parts += [html_table(["class of pixels", "mean share"], rows, numbers={1})]
    return html_section("Classes", "\n".join(parts)) if parts else ""


def _words(result: dict[str, Any]) -> str:
    """Detections of prompts; empty without such a model."""
    said = result["figures"].get("grounding")
    if said is None:
        return ""
    rows = [
        [escape(phrase), f"{frames} of {said['frames']}", f"{said['score'][phrase]:.3f}"]
        for phrase, frames in said["found"].items()
    ]
    titles = ["phrase", "frames that show it", "mean score of its first box"]
    return html_section("Words", html_table(titles, rows, numbers={1, 2}))


def _inputs(result: dict[str, Any]) -> str:
    health = result["input"]
    streams = [
        [
            f"<code>{escape(s['name'])}</code>",
            escape(s["kind"]),
            f"{s['messages']}",
            f"{s['rate_hz']:.2f}",
            f"{s['longest_gap_s']:.3f}",
            f"{s['longest_gap_at_s']:.2f}",
            escape(", ".join(s["encodings"])),
        ]
        for s in health["streams"]
    ]
    titles = ["stream", "kind", "messages", "Hz", "longest gap s", "at s", "encodings"]
    parts = [html_table(titles, streams, numbers={2, 3, 4, 5}), _pairing(health)]
    problems = [
        [escape(kind), f"{seen['count']}", escape(seen["first"])]
        for kind, seen in health["problems"].items()
    ]
    if problems:
        parts.append(html_table(["problem", "count", "first"], problems, numbers={1}))
    else:
        parts.append("<p>No problems while reading.</p>")
    if health["other_topics"]:
        others = [
            [f"<code>{escape(n)}</code>", escape(t)] for n, t in health["other_topics"].items()
        ]
        table = html_table(["topic", "type"], others)
        parts.append(f"<details><summary>Topics not replayed</summary>{table}</details>")
    return html_section("Inputs", "\n".join(parts))


def _pairing(health: dict[str, Any]) -> str:
    counts = "; ".join(
        f"{_PAIRING.get(name, name)}: {count}" for name, count in health["pairing"].items()
    )
    offset = health["pairing_offset_s"]
    if offset:
        counts += (
            f"; stamps differ by {1e3 * offset['p50']:.2f} ms (median), "
            f"{1e3 * offset['max']:.2f} ms at most"
        )
    counts = counts[:1].upper() + counts[1:]
    return f'<p style="margin-top:12px">{escape(counts)}.</p>' if counts else ""


def _settings(result: dict[str, Any]) -> str:
    rows = [[escape(k), f"<code>{escape(str(v))}</code>"] for k, v in result["config"].items()]
    table = html_table(["parameter", "value"], rows)
    return html_section("Settings", f"<details><summary>Parameters</summary>{table}</details>")
