"""Hosts that are not what they seem, and what a thread under test may reach: shared by unit and attack tests."""

from __future__ import annotations

ALLOWED = "allowed.example.test"
ADDRESSES = (
    *(
        "127.1",
        "127.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0",
    ),
    *(
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1%25eth0]",
        "::1",
        "[::]",
        "0.0.0.0",
    ),
    *("169.254.169.254", "10.0.2.2", "93.184.216.34", "1.1.1.1", "127.0.0.1.", "0x7f.0x0.0x0.0x1"),
    *("\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460.0.0.1"),
)
"""Addresses in every spelling that some program reads as one; also public ones: only names are reached."""
OWN = (
    *("localhost", "localhost.", "LOCALHOST", "foo.localhost", "printer.local", "db.internal"),
    *("router.lan", "x.home.arpa", "hidden.onion", "metadata", "intranet"),
)
DISGUISED = (
    *(f"{ALLOWED}\x00.evil.test", f"evil.test\x00.{ALLOWED}", f"evil.test\x00{ALLOWED}"),
    *(f"{ALLOWED}@evil.test", f"evil.test@{ALLOWED}", f"user:pass@{ALLOWED}", "@evil.test"),
    *(
        f"{ALLOWED}\\evil.test",
        f"evil.test\\@{ALLOWED}",
        f"evil.test%00.{ALLOWED}",
        f"%61{ALLOWED[1:]}",
    ),
    *(f"{ALLOWED} .evil.test", f" {ALLOWED}", f"{ALLOWED}\t", f"{ALLOWED}\r\nHost: evil.test"),
    *(
        f"{ALLOWED}%2eevil.test",
        f"{ALLOWED}..",
        f".{ALLOWED}",
        "allowed..example.test",
        f"{ALLOWED}/..",
    ),
    *(
        f"{ALLOWED}#evil.test",
        f"{ALLOWED}?evil.test",
        f"evil.test#{ALLOWED}",
        f"[{ALLOWED}]",
        f"{ALLOWED}:",
    ),
    *(
        f"-{ALLOWED}",
        "allowed-.example.test",
        "allow_ed.example.test",
        "a" * 64 + ".test",
        "a." * 130 + "test",
    ),
    *(
        f"{ALLOWED}:443:80",
        f"{ALLOWED}:+443",
        f"{ALLOWED}:４４３",
        f"{ALLOWED}:99999999",
        f"{ALLOWED}: 443",
    ),
    *(
        "",
        ".",
        "..",
        "*",
        "*.example.test",
        "test",
        "\u202eallowed.example.test",
        "allowed\u200b.example..test",
    ),
)
"""Not a host name at all, or two in one."""
OTHERS = (
    *(f"{ALLOWED}.evil.test", f"evil{ALLOWED}", f"sub.{ALLOWED}", "example.test", "evil.test"),
    *("\u0430llowed.example.test", "allowed.ex\u0430mple.test"),
    *(f"{ALLOWED}-evil.test", "allowed.example.test.xn--p1ai", "all0wed.example.test"),
)
"""Well-formed names of other hosts."""
SAME = (
    *(ALLOWED, ALLOWED.upper(), f"{ALLOWED}.", "Allowed.Example.Test", "ａllowed.example.test"),
    *("allowed\u3002example.test",),
)
"""Other spellings of the allowed host, by the rules of names."""
SCHEMES = ("http", "https", "ws", "wss")
BAD_SCHEMES = ("ftp", "file", "gopher", "data", "javascript", "HTTPX", "", "h ttp", "blob", "about")
