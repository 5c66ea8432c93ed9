"""Names of people in the mock world, with the spellings in which different offices write them.

Belongs here: name lists by naming tradition and the rules by which one name gets several Latin spellings
(transliteration schemes, dropped diacritics) or its own script. Does not belong here: keying errors.
The lists are our own; any likeness to a living person is chance.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from hrtech.mock.common import zipf_weights

SPELLINGS = ("standard", "alternative", "plain", "native")
"""The four spellings of each name: two Latin ones, one without diacritics, and the name's own script."""


@dataclass(frozen=True)
class Tradition:
    """A naming tradition: given names, family names (stems with endings) and its spelling rules."""

    female: str
    male: str
    stems: str
    endings: str = ""
    rules: tuple[tuple[str, str], ...] = ()
    cyrillic: bool = False


_CYRILLIC = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюяыэъё"
_LATIN_STANDARD = "a b v h g d e ie zh z y i i i k l m n o p r s t u f kh ts ch sh shch - iu ia y e - io"
_LATIN_ALTERNATIVE = "a b w g g d e je ż s i i ji j k l m n o p r s t u f ch c cz sz szcz - ju ja y e - jo"

TRADITIONS: dict[str, Tradition] = {
    "ukrainian": Tradition(
        "Олена Наталія Ірина Оксана Тетяна Юлія Світлана Людмила Катерина Марія Галина Ольга Яна Віра Надія "
        "Софія Дарина Христина Леся Зоряна",
        "Олександр Сергій Андрій Володимир Михайло Юрій Іван Дмитро Василь Петро Тарас Богдан Роман Ігор "
        "Максим Ярослав Євген Микола Степан Олег",
        "Шевч Ковал Бондар Ткач Кравч Мельнич Лис Савч Панас Гриц Климч Зайч Федор Яким Дмитр Василь Марч Руд "
        "Хом Гав Пилип Чорн Степан Левч",
        "енко ук юк ський",
        cyrillic=True,
    ),
    "romanian": Tradition(
        "Ioana Mihaela Andreea Elena Cristina Ștefania Tatiana Mădălina Florentina Gabriela Raluca Ileana "
        "Anca Simona Viorica Daniela Loredana Irina",
        "Andrei Ștefan Ionuț Mihai Vasile Gheorghe Cătălin Răzvan Marius Dănuț Florin Nicolae Sorin Costel "
        "Bogdan Liviu Petru Tudor",
        "Ion Pop Mun Stan Dum Gheorgh Râs Mol Vas Neag Șerb Tăn Cior Lup Bălt Cost Drag Flor Mar Ciob",
        "escu eanu u aru",
        rules=(("ș", "sh"), ("Ș", "Sh"), ("ț", "tz"), ("Ț", "Tz"), ("ă", "e"), ("â", "i")),
    ),
    "arabic": Tradition(
        "Fatima Khadija Aisha Mariam Zainab Nour Layla Salma Yasmin Amina Rania Huda Samira Farida Sumaya "
        "Najwa Rasha Widad",
        "Mohammed Ahmad Youssef Khalid Hussein Omar Mustafa Karim Bilal Hamza Tariq Said Abdullah Jamal Walid "
        "Rachid Nasser Faisal",
        "Haddad Khoury Najjar Mansour Saleh Othman Hamdan Sharif Qasim Bakr Aziz Rahman Jabr Saqr Zaid Farouk "
        "Nabil Sabri Younis Taha",
        " i awi ",
        rules=(
            ("ou", "u"),
            ("Mohammed", "Muhamad"),
            ("ei", "ai"),
            ("kh", "h"),
            ("Kh", "Kha"),
            ("q", "k"),
            ("Q", "K"),
            ("a$", "ah"),
            ("y", "i"),
        ),
    ),
    "west_african": Tradition(
        "Blessing Grace Ngozi Adaeze Chioma Folake Abena Akosua Efua Amaka Ifeoma Titilayo Joy Patience Osas "
        "Yetunde Ama Nneka",
        "Emeka Chidi Olumide Tunde Kwame Kofi Kwabena Yaw Obinna Segun Ikenna Femi Osagie Kelechi Babatunde "
        "Uche Kojo Ebo",
        "Oka Ade Olu Eze Nwa Osa Oye Ibe Obi Aku Men Asa Boa Owu Ame Ogu Chukw Afo",
        "for bayo wale koro mensah gie nkwo di",
        rules=(("ola", "olla"), ("kw", "qu"), ("Kw", "Qu"), ("ch", "sh"), ("bayo", "baio"), ("ou", "u")),
    ),
    "south_asian": Tradition(
        "Sunita Anjali Priya Lakshmi Sita Gita Kamala Nasreen Shirin Rekha Manju Pooja Asha Bishnu Rupa Salma "
        "Devi Parbati",
        "Ram Krishna Rajesh Suresh Bikash Anil Sanjay Mohan Dipak Hari Rakib Arif Prakash Ganesh Nabin Kamal "
        "Santosh Vijay",
        "Tham Gur Shrest Rah Choudh Adhik Bhattar Karm Mond Sark Das Biswak Pand Khad Tam Lam Poud Magar",
        "a ang ha ary al ar",
        rules=(("sh", "s"), ("oo", "u"), ("ee", "i"), ("v", "w"), ("th", "t"), ("ou", "au"), ("w", "v")),
    ),
    "vietnamese": Tradition(
        "Thị Lan|Thị Hồng|Thị Mai|Thu Hằng|Ngọc Ánh|Kim Chi|Thanh Hà|Mỹ Linh|Phương Thảo|Bích Ngọc",
        "Văn Hùng|Đức Anh|Minh Quân|Quốc Bảo|Hữu Phước|Tuấn Kiệt|Xuân Trường|Công Danh|Thành Đạt|Hoài Nam",
        "Nguyễn|Trần|Lê|Phạm|Hoàng|Huỳnh|Phan|Vũ|Võ|Đặng|Bùi|Đỗ|Hồ|Ngô|Dương|Lý|Đinh|Trương",
        rules=(("ươ", "uo"), ("uỳ", "ui"), ("Ph", "F"), ("Hoà", "Hua"), ("Th", "T"), ("ễ", "e"), ("V", "W")),
    ),
    "mekong": Tradition(
        "Srey Mom|Chan Thou|Sokha|Bopha|Nan Khin|Aye Aye|Khin Mar|Thin Thin|Som Jai|Malee|Pensri|Kanya",
        "Sok Heng|Dara|Vuthy|Zaw Min|Aung Ko|Kyaw Thu|Somchai|Prasert|Wichai|Bounmy|Rithy|Thant Zin",
        "Chea|Sok|Keo|Chhim|Prak|Win|Htun|Lwin|Srisai|Wongsak|Chaiyasit|Suwan|Chanthavong|Phommasan|Seng|Thongdee",
        rules=(("Kh", "K"), ("Ky", "Gy"), ("th", "t"), ("Th", "T"), ("ch", "sh"), ("w", "v"), ("ee", "i")),
    ),
    "indonesian": Tradition(
        "Dewi|Siti Nur|Sri Wahyuni|Yuliana|Ratna|Endang|Nurhayati|Kartini|Wulandari|Fitriani",
        "Budi|Agus|Slamet|Wayan|Eko|Joko|Suryanto|Hendra|Dwi Putra|Rudi",
        "Santoso|Wijaya|Hartono|Suryadi|Saputra|Kusuma|Nugroho|Setiawan|Lestari|Hidayat|Purnomo|Susanto",
        rules=(("J", "Dj"), ("u", "oe"), ("Y", "J"), ("y", "j")),
    ),
    "hispanic": Tradition(
        "María José|Guadalupe|Ana Lucía|Rosario|Marisol|Jocelyn|Maricel|Lourdes|Verónica|Yesenia|Analyn|Gloria|"
        "Mónica|Belén|Rosalinda|Cristina",
        "José Luis|Juan Carlos|Jesús|Héctor|Ramón|Andrés|Reynaldo|Rodrigo|Danilo|Eduardo|Óscar|Martín|Joel|"
        "Ángel|Rubén|Tomás",
        "García|Hernández|López|Martínez|Núñez|Peña|Ibáñez|Dela Cruz|De los Santos|Villanueva|Bautista|Mendoza|"
        "Ocampo|Salazar|Quiñones|Yáñez|Castro|Ibarra|Moreno|Valdés|Ponce|Reyes|Aquino|Zúñiga",
        rules=(("Dela", "De La"), ("z$", "s"), ("ñ", "ny"), ("Y", "J"), ("lly", "ly"), ("ce", "se")),
    ),
    "east_african": Tradition(
        "Almaz Tigist Hiwot Selam Wanjiru Akinyi Nakato Amani Zawadi Halima Genet Meron Achieng Nalubega Rahel "
        "Birtukan",
        "Tesfaye Bekele Abebe Dawit Kamau Otieno Mugisha Kato Juma Baraka Yohannes Girma Ochieng Ssali Tadesse "
        "Mulugeta",
        "Gebre Wolde Haile Tekle Kam Njor Odh Ochi Muse Nak Bir Okel Assef Desal Mwan Kiprot",
        "mariam michael selassie au oge iambo eng veni",
        rules=(("ss", "s"), ("G", "Gh"), ("selassie", "sellasie"), ("y", "i"), ("ch", "c")),
    ),
    "anglophone": Tradition(
        "Emily Jessica Ashley Kayla Megan Hannah Alice Sophie Rachel Lauren Chloe Victoria Nicole Amber Leah "
        "Caitlin",
        "James Michael Daniel Ryan Kevin Tyler Jack Thomas Connor Justin Brandon Stephen Sean Nathan Luke Aaron",
        "Har Wil Thom Robin Mar Ander Jack Ed Rich Pe Clark Ben Mor Stan Wat Hud",
        "son kins field ton well ley",
        rules=(("ph", "v"), ("ch", "k"), ("Sean", "Shaun"), ("ey$", "y"), ("Cait", "Kait")),
    ),
}


def _split(names: str) -> list[str]:
    return names.split("|") if "|" in names else names.split()


def _transliterate(name: str, letters: str) -> str:
    table = dict(zip(_CYRILLIC, letters.split(), strict=True))
    latin = "".join(table.get(letter.lower(), letter) for letter in name).replace("-", "")
    return latin.capitalize()


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.replace("Đ", "D").replace("đ", "d"))
    return "".join(letter for letter in bare if not unicodedata.combining(letter))


def _spellings(name: str, tradition: Tradition) -> tuple[str, str, str, str]:
    if tradition.cyrillic:
        standard = _transliterate(name, _LATIN_STANDARD)
        alternative = _transliterate(name, _LATIN_ALTERNATIVE)
        return standard, alternative, _plain(alternative), name
    alternative = name
    for old, new in tradition.rules:
        alternative = re.sub(old, new, alternative)
    return name, alternative, _plain(name), name


@functools.cache
def name_pool(tradition: str, part: str) -> np.ndarray:
    """Return the names of one kind in every spelling.

    Args:
        tradition: A key of `TRADITIONS`.
        part: `female`, `male` (given names) or `family`.

    Returns:
        Strings of shape (names, spellings), in the order of `SPELLINGS`.
    """
    rules = TRADITIONS[tradition]
    if part == "family":
        endings = rules.endings.split(" ") if rules.endings else [""]
        names = [stem + ending for ending in endings for stem in _split(rules.stems)]
    else:
        names = _split(getattr(rules, part))
    unique = list(dict.fromkeys(names))
    return np.array([_spellings(name, rules) for name in unique], dtype=object)


def draw_names(rng: np.random.Generator, tradition: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Draw one name for each person.

    Args:
        rng: Where the draws come from.
        tradition: Keys of `TRADITIONS`, one per person.
        part: `female`, `male` or `family`, one per person.

    Returns:
        Strings of shape (people, spellings).
    """
    out = np.empty((len(tradition), len(SPELLINGS)), dtype=object)
    for key in TRADITIONS:
        for kind in ("female", "male", "family"):
            rows = np.flatnonzero((tradition == key) & (part == kind))
            pool = name_pool(key, kind)
            out[rows] = pool[rng.choice(len(pool), size=len(rows), p=zipf_weights(len(pool), 0.6))]
    return out
