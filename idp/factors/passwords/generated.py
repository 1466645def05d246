"""A password made for somebody."""

import secrets

SYLLABLES = tuple(  # one block of words reads better than a list of literals
    """
    banh bao beng bich biec bong buom cam canh cau chan chanh chao chim chuoi chuon coi cong cua
    cuoc dan dao dau day deo diem dinh doi don dua duoi em gac gao gang gat ghe ghi giay gio
    giong go gom guong hac hat hen heo hoi hong huou huyen ke keo kep khai khan khe khoai khuy
    kien kinh lac lam lang lau leo lo lua luoi luoc lut mai mam man mat mem mia mo moc mua muoi
    muop nai nam nap nem nen ngan ngo ngoc ngon nho nhum nia noi non nong nu nui oc oi ong phao
    phin phom que quyt rang rao rau rem rieng ro rong ruoc rung sam sap sen soi son song suoi ta
    tao tep than thau thia thoi thong tim toi tom trai tram tre trong truc trung tuong tuoc ut
    vai van vang vit voi von vuon xanh xe xoai xoi xuong yem yen yeu
    """.split()  # noqa: SIM905
)
"""Without marks, so that every keyboard types them."""


def generate_password() -> str:
    """A password people can copy from paper: five syllables and four digits, 48 bits."""
    words = [secrets.choice(SYLLABLES) for _ in range(5)]
    digits = "".join(secrets.choice("23456789") for _ in range(4))
    return "-".join([*words, digits])
