"""Words that make a password easy to guess here, and syllables to make good ones from.

All without diacritics, lower case, without spaces.
"""

PROVINCES = frozenset(  # one block of words reads better than a list of literals
    """
    angiang bariavungtau bacgiang backan baclieu bacninh bentre binhdinh binhduong binhphuoc
    binhthuan camau cantho caobang daklak daknong danang dienbien dongnai dongthap gialai hagiang
    hanam hanoi hatinh haiduong haiphong haugiang hoabinh hungyen khanhhoa kiengiang kontum
    laichau lamdong langson laocai longan namdinh nghean ninhbinh ninhthuan phutho phuyen
    quangbinh quangnam quangngai quangninh quangtri soctrang sonla tayninh thaibinh thainguyen
    thanhhoa thuathienhue tiengiang hochiminh saigon travinh tuyenquang vinhlong vinhphuc yenbai
    vietnam hue samson bimson nghison hactruc hactruong
    """.split()  # noqa: SIM905
)

COMMON = frozenset(
    """
    matkhau matma dangnhap taikhoan canbo congchuc vienchuc congan quandoi chinhquyen uyban
    ubnd tinhuy huyen thixa phuong congvu dinhdanh vneid hanhchinh vanphong thongtin phongban
    anhyeuem emyeuanh yeuem yeuanh conyeu giadinh anhem bome ongxa baxa vochong hanhphuc
    tinhyeu mienbac mientrung miennam bacho bachochiminh hochutich doclap tudo xinchao khongbiet cuatoi toila
    khongco motngay nguoiviet tiengviet quehuong datnuoc namquocsonha sinhnhat hoahong
    nguyen tran pham hoang huynh phan truong
    password passwd passw pass letmein welcome admin administrator root user guest test demo
    login master secret changeme default temp system server abc123 iloveyou monkey dragon
    football baseball superman batman sunshine princess shadow michael computer internet samsung
    iphone google facebook zalo qwerty qwertz azerty summer winter spring autumn company office
    """.split()  # noqa: SIM905
)

SYLLABLES = tuple(
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
