"""Where phones find this machine: its address in the local network."""

import contextlib
import ipaddress
import socket

LOCAL = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::", "", None)
ELSEWHERE = "192.0.2.1", 9  # of no machine; a route is looked up, and nothing is sent


def local_address() -> str | None:
    """This machine's address towards others; None if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as looking:
        try:
            looking.connect(ELSEWHERE)
            found = [str(looking.getsockname()[0])]
        except OSError:  # no way out: a network of one's own
            found = []
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    usable = (each for each in found if not ipaddress.ip_address(each).is_loopback and each not in EVERYWHERE)
    return next(usable, None)


def joined_at(listens: str | None, host: str, port: int) -> str | None:
    """The beginning of the address that phones open, "http://192.168.1.5:8501"; None if none reaches this machine.

    Args:
        listens: the address that the app listens to.
        host, port: of the address in the speaker's own browser.
    """
    if listens in LOCAL:
        return None
    if host not in LOCAL:
        found: str | None = host
    else:
        found = local_address() if listens in EVERYWHERE else listens
    return f"http://{found}:{port}" if found else None
