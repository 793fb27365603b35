"""Plots of the reports."""

import re

from robot_vision.viz.svg import Series, line_chart


def test_the_last_label_is_not_cut_off_at_the_edge() -> None:
    line = Series(name="a", x=[0.0, 0.5, 1.0], y=[0.0, 1.0, 2.0], color=1)
    chart = line_chart([line], y_label="objects")
    labels = re.findall(r'text-anchor="(\w+)">([\d.]+) s<', chart)
    assert (labels[0], labels[-1]) == (("middle", "0"), ("end", "1"))
