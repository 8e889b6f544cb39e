"""Pages of the simulated telephones: `GET /town/phones`, `GET /town/phones/{n}`, pictures, and the two buttons."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, quote

from puhui_town.checks.pictures import Picture, PictureKind, draw
from puhui_town.people.mind import Inbox
from puhui_town.people.needs import CHINA
from puhui_town.people.townsfolk import Townsfolk
from puhui_town.wire import Ask, Reply, Route, Service, World, not_found

PAGE_OF = 50
SUM = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)
PICTURES: dict[str, PictureKind] = {"face": "face", "front": "id_front", "back": "id_back", "proof": "proof"}
STYLE = """
*{box-sizing:border-box}body{font:16px/1.6 system-ui,"PingFang SC","Noto Sans CJK SC",sans-serif;margin:0 auto;max-width:40rem;padding:0 12px 3rem;
color:#1c2b2d;background:#f6f7f4}header{background:#7a2d12;color:#fff;margin:0 -12px;padding:.5rem 12px;position:sticky;top:0;font-weight:600}
header small{display:block;font-weight:400}h1{font-size:1.25rem;margin:.9rem 0 .3rem}h2{font-size:1.05rem;margin:1.2rem 0 .3rem}
dl{display:grid;grid-template-columns:6.5em 1fr;gap:.15rem .5rem;margin:0}dt{color:#5b6a6c}dd{margin:0;word-break:break-all}
article{background:#fff;border:1px solid #d9ded8;border-radius:6px;padding:.4rem .6rem;margin:.4rem 0}article b{font-size:1.2rem;letter-spacing:.1em}
time{color:#5b6a6c;font-size:.85rem}img{width:30%;max-width:110px;border:1px solid #d9ded8;margin-right:2%}
form{display:flex;flex-wrap:wrap;gap:.4rem;margin:.4rem 0}input,button,select{font:inherit;padding:.45rem .6rem;border:1px solid #8fa09c;border-radius:6px}
input{flex:1 1 8rem;min-width:0}button{background:#1f6f5c;color:#fff;border-color:#1f6f5c}ul{padding-left:1.1rem}a{color:#1f6f5c}
"""


class Phones:
    """The telephones of all residents."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def folk(self) -> Townsfolk:
        people = self.world.parts["people"]
        assert isinstance(people, Townsfolk)
        return people

    def service(self) -> Service:
        routes = (
            Route("GET", "/town/phones", "phones", self.list, who=None),
            Route("GET", "/town/phones/{n}", "phone", self.show, who=None),
            Route("GET", "/town/phones/{n}/pictures/{which}", "picture", self.picture, who=None),
            Route("POST", "/town/phones/{n}/send", "send_money", self.send, who=None, is_kept=False),
            Route("POST", "/town/phones/{n}/calls", "answer_call", self.set_calls, who=None, is_kept=False),
        )
        return Service("town", "/town", "town-1", routes, has_commons=False)

    # -- reading ----------------------------------------------------------------------------------------------------------------

    def list(self, ask: Ask) -> Reply:
        """Residents by name, fifty a page; a resident without a phone of his own is named with the one he shares."""
        start = min(ask.cursor(), max(self.folk.count - 1, 0))
        rows = [self._row(n) for n in range(start, min(start + PAGE_OF, self.folk.count))]
        if _wants_json(ask):
            return Reply.json({"simulated": True, "count": self.folk.count, "residents": rows})
        items = "".join(
            f'<li><a href="/town/phones/{row["n"]}">{_t(row["name"])}</a>，{row["age"]} 岁，{_t(row["place"])}，{_t(row["phone"])}</li>' for row in rows
        )
        further = f'<p><a href="/town/phones?cursor={start + PAGE_OF}">后面的居民</a></p>' if start + PAGE_OF < self.folk.count else ""
        return _page("居民的手机", f"<h1>挑一位居民</h1><p>共 {self.folk.count} 位，都不是真人。</p><ul>{items}</ul>{further}")

    def _row(self, n: int) -> dict[str, Any]:
        person = self.folk.person(n)
        today = self.world.clock.now().astimezone(CHINA).date()
        return {"n": n, "name": person.name, "age": person.age(today), "place": person.living.name, "phone": self.folk.phone(n)}

    def show(self, ask: Ask) -> Reply:
        """One resident's telephone: who he is on paper, his card, his inbox with codes."""
        n = self._n(ask)
        facts = self._facts(n)
        if _wants_json(ask):
            return Reply.json(facts)
        return _page(f"{facts['name']}的手机", self._body(n, facts), note=ask.query.get("note", ""))

    def _facts(self, n: int) -> dict[str, Any]:
        person, mind, identity = self.folk.person(n), self.folk.mind(n), self.folk.identity(f"n{n}")
        card = self.folk.card_number(n)
        inbox = self.folk.inboxes.get(self.folk.phone(n)) or Inbox()
        return self._row(n) | {
            "simulated": True, "id_number": person.id_number, "id_expires": identity.id_expires.isoformat(), "work": person.work,
            "living_place_code": person.living.place_code, "home_place_code": person.home.place_code, "card_number": card,
            "balance_fen": self.folk.books.card_balance(card), "shares_phone": person.shares_phone, "answers": mind.answers or "as he likes",
            "pictures": {name: f"/town/phones/{n}/pictures/{name}" for name in PICTURES},
            "inbox": [
                {"at": text.at, "from": text.sender, "purpose": text.purpose, "text": text.text} | ({"code": text.code} if text.code else {})
                for text in reversed(inbox.texts)
            ],
        }  # fmt: skip

    def _body(self, n: int, facts: dict[str, Any]) -> str:
        pairs = (
            ("姓名", facts["name"]), ("身份证号", facts["id_number"]), ("有效期至", facts["id_expires"]), ("手机号", facts["phone"]),
            ("银行卡号", facts["card_number"]), ("卡内余额", f"{facts['balance_fen'] / 100:,.2f} 元"), ("住址", f"{facts['place']}（{facts['living_place_code']}）"),
        )  # fmt: skip
        rows = "".join(f"<dt>{name}</dt><dd>{_t(value)}</dd>" for name, value in pairs)
        pictures = "".join(f'<img src="{src}" alt="模拟图片 {name}">' for name, src in facts["pictures"].items())
        texts = "".join(
            f"<article><time>{_t(text['at'][:16].replace('T', ' '))} · {_t(text['from'])}</time><br>"
            + (f"<b>{_t(text['code'])}</b><br>" if "code" in text else "")
            + f"{_t(text['text'])}</article>"
            for text in facts["inbox"]
        )
        shared = "<p>这位居民和家人共用这部手机。</p>" if facts["shares_phone"] else ""
        return (
            f"<h1>{_t(facts['name'])}</h1>{shared}<dl>{rows}</dl><h2>证件图片（程序画的方块）</h2><p>{pictures}</p>"
            f"<h2>短信和验证码</h2>{texts or '<p>还没有短信。刷新本页可看到新短信。</p>'}"
            f'<h2>来电</h2><form method="post" action="/town/phones/{n}/calls"><select name="answers" aria-label="来电时">'
            '<option value="">由居民自己决定</option><option value="self">本人接听</option><option value="nobody">不接</option></select>'
            "<button>保存</button></form>"
            f'<h2>自己转账给贷款机构</h2><form method="post" action="/town/phones/{n}/send"><input name="yuan" inputmode="decimal" placeholder="金额（元）" '
            'required aria-label="金额（元）"><input name="memo" placeholder="附言（借据号，可不填）" aria-label="附言"><button>转账</button></form>'
            '<p><a href="/town/phones">其他居民</a></p>'
        )

    def picture(self, ask: Ask) -> Reply:
        """A generated picture of the resident: plain blocks, no face of anyone."""
        person = self.folk.person(self._n(ask))
        kind = PICTURES.get(ask.args["which"].removesuffix(".jpg"))
        if kind is None:
            raise not_found("this picture")
        number = person.face if kind == "face" else person.card_face
        return Reply(200, draw(Picture(kind, number)), "image/jpeg")

    # -- buttons ----------------------------------------------------------------------------------------------------------------

    def send(self, ask: Ask) -> Reply:
        """Send money from the card to the lender, by hand."""
        n, form = self._n(ask), _form(ask)
        found = SUM.fullmatch(form.get("yuan", "").strip())
        if found is None:
            return _back(n, "请填写金额，例如 300.50")
        fen = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
        mind = self.folk.mind(n)
        mind.sent += 1
        self.folk.note(mind)
        done = fen > 0 and self.folk.books.send(self.folk.card_number(n), fen, form.get("memo", "")[:40], f"rc-hand-{n}-{mind.sent}")
        return _back(n, "已转出" if done else "没有转成：卡里余额不够，或金额不对")

    def set_calls(self, ask: Ask) -> Reply:
        """Say how this resident's calls are answered from now on."""
        n, choice = self._n(ask), _form(ask).get("answers", "")
        mind = self.folk.mind(n)
        mind.answers = choice if choice in {"self", "nobody"} else ""
        self.folk.note(mind)
        return _back(n, "已保存")

    def _n(self, ask: Ask) -> int:
        text = ask.args["n"]
        if not text.isdigit() or int(text) >= self.folk.count:
            raise not_found("this resident")
        return int(text)


def _wants_json(ask: Ask) -> bool:
    return ask.query.get("as") == "json" or "application/json" in ask.headers.get("accept", "")


def _form(ask: Ask) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(ask.raw.decode("utf-8", "replace")).items()}


def _t(value: object) -> str:
    return html.escape(str(value))


def _back(n: int, note: str) -> Reply:
    return Reply(303, b"", "text/html; charset=utf-8", (("Location", f"/town/phones/{n}?note={quote(note)}"),))


def _page(title: str, body: str, note: str = "") -> Reply:
    told = f"<article role='status'>{_t(note)}</article>" if note else ""
    text = (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_t(title)}（模拟）</title><style>{STYLE}</style></head><body><header>模拟手机<small>这里的人、证件、银行卡和钱都是程序编的 · Simulated: "
        f"nobody and nothing here is real</small></header>{told}{body}</body></html>"
    )
    return Reply(200, text.encode(), "text/html; charset=utf-8")
