"""The signing authority: certificates for a day, signatures under a one-time code, time stamps, revocations. A mechanism, no legal claim.

Its root key is published as `sign-root` beside the keys that sign replies. Door in `world.parts`: "sign" (`Signing`).
"""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.sign.authority import Authority
    from puhui_town.sign.service import Signing

    world.keys.make("sign-1", "sign")
    root = world.keys.make("sign-root", "sign-root").loaded
    assert isinstance(root, Ed25519PrivateKey)
    checks = world.parts["checks"]
    signing = Signing(
        world.clock, world.store, world.parts["people"], world.parts["breaches"], Authority(root), checks.take_code, checks.face_passed
    )
    world.parts["sign"] = signing
    return [signing.service()]
