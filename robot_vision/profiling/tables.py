"""A profile as tables."""

from collections.abc import Iterator, Sequence

from rich.table import Column, Table

from robot_vision.profiling.live import LiveProfile
from robot_vision.profiling.profile import Counted, NetworkProfile, Profile, Timed
from robot_vision.profiling.times import Latency, Throughput

_MB = 1e6


def tables(profile: Profile, *, most: int) -> Iterator[Table | str]:
    """Lines and tables in reading order; at most `most` rows of layers and operators."""
    machine = profile.machine
    yield (
        f"{profile.target} ({profile.kind}) on {machine['processor']}, {machine['cores']} cores, "
        f"load {machine['load_1min']}, threads {profile.threads or 'all'}"
    )
    for network in profile.networks:
        shapes = ", ".join(f"{name} {shape}" for name, shape in network.inputs.items())
        yield f"\n{network.network}: {shapes}"
        yield from network.notes
        yield _counted_table(network.counted)
        yield from (_uncounted(one) for one in network.counted if one.uncounted)
        if network.timed:
            yield _times(network.timed)
        yield from _remarks(network)
        for counted in network.counted[:1]:
            yield _layers(counted, most)
        for timed in network.timed:
            if timed.operators:
                yield _operators(timed, most)


def live_table(live: LiveProfile) -> Table:
    """Stages of a node's frames, and their sum."""
    table = Table("stage, ms", "p50", "p95", "p99", "mean", "of the age")
    for one in (*live.stages, live.age):
        values = (one.p50_ms, one.p95_ms, one.p99_ms, one.mean_ms)
        table.add_row(one.name, *(f"{ms:.2f}" for ms in values), f"{one.share:.1%}")
    return table


def _counted_table(counted: Sequence[Counted]) -> Table:
    table = Table(
        "counted in", "parameters", "GMACs", "weights MB", "activations MB", "alive at once MB"
    )
    for one in counted:
        memory = one.memory
        sizes = (memory.weights, memory.activations, memory.peak_activations)
        table.add_row(
            one.form,
            f"{one.parameters / 1e6:.3f} M",
            f"{one.macs / 1e9:.4f}",
            *(f"{size / _MB:.1f}" for size in sizes),
        )
    return table


def _uncounted(counted: Counted) -> str:
    return f"GMACs of {counted.form} are without those of: {', '.join(counted.uncounted)}"


def _times(timed: Sequence[Timed]) -> Table:
    batches = sorted({each.batch for one in timed for each in one.throughput})
    table = Table(
        Column("engine", no_wrap=True),
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms",
        "peak MB",
        *(f"samples/s at {batch}" for batch in batches),
    )
    for one in timed:
        found = {each.batch: each for each in one.throughput}
        peak = "-" if one.peak_bytes is None else f"{one.peak_bytes / _MB:.0f}"
        latency = one.latency
        table.add_row(
            one.engine,
            *(f"{ms:.2f}" for ms in _times_ms(latency)),
            peak,
            *(_rate(found.get(batch)) for batch in batches),
        )
    return table


def _times_ms(latency: Latency) -> tuple[float, ...]:
    return latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.cpu_ms


def _rate(found: Throughput | None) -> str:
    if found is None:
        return "-"
    return "cannot" if found.samples_per_s is None else f"{found.samples_per_s:.1f}"


def _remarks(network: NetworkProfile) -> Iterator[str]:
    for one in network.timed:
        if one.throughput and not one.batch_is_free:
            yield f"{one.engine}: the graph's batch size is fixed: throughput is of that one"
        for each in one.throughput:
            if each.why:
                yield f"{one.engine}, batch {each.batch}: {each.why}"
        if one.peak_why:
            yield f"{one.engine}: peak memory not measured: {one.peak_why}"
        if one.trace:
            yield f"{one.engine}: every call in {one.trace} (https://ui.perfetto.dev)"
    for missing in network.missing:
        yield f"{missing.name}: not measured: {missing.why}"


def _layers(counted: Counted, most: int) -> Table:
    table = Table(
        Column(f"layers of {counted.form} with the most multiplications", overflow="fold"),
        "kind",
        "parameters",
        "MMACs",
        "share",
    )
    for layer in sorted(counted.layers, key=lambda one: one.macs, reverse=True)[:most]:
        table.add_row(
            layer.name,
            layer.kind,
            str(layer.parameters),
            f"{layer.macs / 1e6:.2f}",
            f"{layer.macs / (counted.macs or 1):.1%}",
        )
    return table


def _operators(timed: Timed, most: int) -> Table:
    table = Table(
        Column(f"slowest operators of {timed.engine}", overflow="fold"),
        "calls",
        "ms a run",
        "share",
    )
    for one in timed.operators[:most]:
        table.add_row(one.kind, f"{one.calls:g}", f"{one.ms:.2f}", f"{one.share:.1%}")
    return table
