"""What may be a live source, and that no password is shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.capture.address import address_of, without_secrets
from robot_vision.core.errors import ConfigError

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=20)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("977", r"/dev/video977 does not exist; cameras here: "),
        ("/dev/video-none", "does not exist"),
        ("ftp://camera/video", "expected rtsp, rtsps, http, https with a host"),
        ("concat:a|b", "No such file"),
        ("rtsp://", "expected rtsp"),
        ("http://camera:port/", "not a valid address"),
        ("nothing.mp4", "No such file"),
        (".", "Is a directory"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        address_of(text)


def test_a_list_of_other_files_is_not_a_video(tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\nhttp://inside.local/secret\n")
    with pytest.raises(ConfigError, match="is not a video"):
        address_of(str(playlist))


def test_a_device_that_may_not_be_opened_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ConfigError, match="usermod -aG video"):
        address_of("/dev/null")


@given(user=WORDS, password=WORDS, token=WORDS)
def test_no_secret_is_shown(user: str, password: str, token: str) -> None:
    address = address_of(f"rtsp://{user}:{password}@camera.local:554/live?key={token}")
    assert address.shown == "rtsp://camera.local:554/live?…"
    said = without_secrets(f"cannot open {address.real} as {user}:{password} ({token})", address)
    for text in (address.shown, repr(address), said):
        assert not any(secret in text for secret in (user, password, token))


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "hunter2")
    address = address_of("rtsp://me:$CAMERA_PASSWORD@camera/live")
    assert "hunter2" in address.real
    assert "hunter2" not in address.shown
