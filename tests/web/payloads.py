"""Texts that become more than text where they are not escaped, and what of a page they would change."""

from __future__ import annotations

from html.parser import HTMLParser

PAYLOADS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></ScRiPt>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    "<svg onload=alert(4)>",
    "<svg><script>alert(5)</script></svg>",
    '"><script>alert(6)</script>',
    "'><img src=x onerror=alert(7)>",
    '" onfocus=alert(8) autofocus x="',
    "' onmouseover=alert(9) x='",
    "` onclick=alert(10) x=`",
    "</textarea><script>alert(11)</script>",
    "</title><script>alert(12)</script>",
    "</option></select><img src=x onerror=alert(13)>",
    "</style><script>alert(14)</script>",
    "--><script>alert(15)</script><!--",
    "<!--",
    "]]><script>alert(16)</script>",
    "<iframe srcdoc='<script>alert(17)</script>'>",
    "<iframe src=javascript:alert(18)>",
    "<a href=javascript:alert(19)>x</a>",
    "<a href='java\tscript:alert(20)'>x</a>",
    "<form action=//evil.example><button>x</button>",
    "<button formaction=//evil.example>x</button>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "<style>*{background:url(//evil.example)}</style>",
    "<math><mtext></mtext><mglyph><style></math><img src onerror=alert(21)>",
    "<details open ontoggle=alert(22)>",
    "<video><source onerror=alert(23)></video>",
    "<object data=javascript:alert(24)>",
    "<embed src=javascript:alert(25)>",
    "<x onclick=alert(26)>",
    "<b>bold</b>",
    "&lt;script&gt;alert(27)&lt;/script&gt;",
    "&#60;script&#62;alert(28)",
    "{{ 7*7 }}{% raw %}",
    "{title} {0} %(x)s %s",
    "＜script＞alert(29)＜/script＞",
    "\\u003cscript\\u003ealert(30)",
)
ALL = " ".join(PAYLOADS)
LINKS = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)",
    "\x01javascript:alert(1)", "javascript://video.example/%0aalert(1)", "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)", "https:alert(1)", "//evil.example", 'https://video.example/"onmouseover="alert(1)',
    "https://video.example/<script>", "http://", "file:///etc/passwd", "https://video.example/\\",
)  # fmt: skip
ADDRESSES = {"href", "src", "action", "formaction", "data", "cite", "poster", "background", "srcset"}


class Skeleton(HTMLParser):
    """Tags with the names of their attributes, in order; comments; and where links and forms lead by their scheme."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.bones: list[tuple[str, ...]] = []
        self.schemes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bones.append((tag, *(name for name, _ in attrs)))
        for name, value in attrs:
            if name in ADDRESSES and ":" in (value or "").partition("/")[0]:
                self.schemes.add((value or "").partition(":")[0].strip().lower())

    def handle_endtag(self, tag: str) -> None:
        self.bones.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.bones.append(("comment",))

    def unknown_decl(self, data: str) -> None:
        self.bones.append(("declaration",))

    handle_pi = unknown_decl


def raw_in(html: str) -> list[str]:
    """Payloads that stand in a page as they were given, though they hold a tag."""
    return [text for text in PAYLOADS if "<" in text and len(text) > 10 and text in html]
