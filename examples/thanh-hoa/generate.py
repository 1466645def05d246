"""Writes people.csv and assignments.csv: invented officials for the units of Thanh Hóa.

    python examples/thanh-hoa/generate.py [--people 20000] [--seed 38] [--out DIR]

The same number of people and the same seed give the same bytes. Nobody in the files can exist:

- Citizen numbers follow Thông tư 07/2016/TT-BCA (province of birth registration, century and
  gender, year, six digits), and every part agrees with the person except the province: 003 was
  never given to any. The table in force for births before July 2025 goes from 002 Hà Giang to
  004 Cao Bằng. A validator should warn of the province and of nothing else.
- Phones begin with +84 10 and have seven digits more. Thông tư 22/2014/TT-BTTTT keeps network
  codes 1x for devices, whose numbers have eight: a number of this length is not given out.
- E-mail addresses end in `.example`, which RFC 2606 reserves.
"""

import argparse
import csv
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from build_units import HERE, commune_of
from decisions import REORGANISATION, Authority, Decision, Decisions
from names import MIX_OF_PROVINCE, full_name, mix_of
from staffing import Job, Post, Register, jobs

UNASSIGNED_PROVINCE = "003"
UNASSIGNED_PHONES = "+8410"
DOMAIN = "thanhhoa.example"
FEWEST_PEOPLE, MOST_PEOPLE = 50, 1_000_000

# First and fifteenth days of the months after the reorganisation, when later changes take effect.
LATER = [
    date(2025 + (month - 1) // 12, (month - 1) % 12 + 1, day)
    for month in range(8, 19)
    for day in (1, 15)
]
APPOINTED_LATER = 0.06
MOVED_ONCE = 0.005
SECONDED = 0.004
WOMEN_AMONG_LEADERS, WOMEN_AMONG_STAFF = 0.28, 0.52
# Women born earlier reached the age of retirement before the sample ends.
OLDEST_WOMAN, OLDEST_MAN = 1970, 1966
# Youngest and usual year of birth, up to a rank of the catalogue of positions.
AGES_BY_RANK = ((80, (1982, 1972)), (120, (1988, 1976)), (165, (1993, 1980)), (999, (2004, 1987)))
YEAR_ONLY_BEFORE, YEAR_ONLY = 1980, 0.03

PEOPLE_COLUMNS = (
    "source_key",
    "full_name",
    "birth_date",
    "gender",
    "citizen_number",
    "email",
    "phone",
)
ASSIGNMENT_COLUMNS = (
    "source_key",
    "person",
    "unit",
    "position",
    "kind",
    "valid_from",
    "valid_to",
    "planned_end",
    "decision_number",
    "decision_issued_on",
    "decision_issuer",
)


class Assignment(NamedTuple):
    person: str
    post: Post
    kind: str
    valid_from: date
    decision: tuple[Authority, str, date]
    valid_to: date | None = None
    planned_end: date | None = None


class Crowd:
    """Draws people one by one; no number, address or phone is given twice."""

    def __init__(self, register: Register, rng: Random, size: int) -> None:
        self._rng = rng
        self._positions = register.positions
        self._mixes = {gso: mix_of(district) for gso, district in register.districts.items()}
        self._phones = iter(rng.sample(range(10_000_000), size))
        self._numbers: set[str] = set()
        self._usernames: dict[str, int] = {}

    def person(self, key: str, job: Job) -> tuple[str, ...]:
        women = WOMEN_AMONG_LEADERS if job.leads else WOMEN_AMONG_STAFF
        gender = "female" if self._rng.random() < women else "male"
        peoples = self._mixes.get(commune_of(job.primary.unit), MIX_OF_PROVINCE)
        name = full_name(self._rng, gender, peoples)
        year = self._birth_year(job, gender)
        return (
            key,
            name,
            self._birth_date(year),
            gender,
            self._citizen_number(year, gender),
            f"{self._username(name)}@{DOMAIN}",
            f"{UNASSIGNED_PHONES}{next(self._phones):07d}",
        )

    def _birth_year(self, job: Job, gender: str) -> int:
        oldest = OLDEST_WOMAN if gender == "female" else OLDEST_MAN
        rank = int(self._positions[job.primary.position]["rank"])
        youngest, usual = next(ages for limit, ages in AGES_BY_RANK if rank <= limit)
        return int(self._rng.triangular(oldest, youngest, usual))

    def _birth_date(self, year: int) -> str:
        """ISO, or the bare year that older registers sometimes have."""
        if year < YEAR_ONLY_BEFORE and self._rng.random() < YEAR_ONLY:
            return str(year)
        return str(date(year, 1, 1) + timedelta(days=self._rng.randrange(365)))

    def _citizen_number(self, year: int, gender: str) -> str:
        century_and_gender = 2 * (year // 100 - 19) + (gender == "female")
        prefix = f"{UNASSIGNED_PROVINCE}{century_and_gender}{year % 100:02d}"
        while (number := f"{prefix}{self._rng.randrange(1_000_000):06d}") in self._numbers:
            pass
        self._numbers.add(number)
        return number

    def _username(self, name: str) -> str:
        """Given name and initials, `hiennv`, then `hiennv2`; never the unit."""
        *others, given = plain(name).split()
        stem = given + "".join(word[0] for word in others)
        count = self._usernames[stem] = self._usernames.get(stem, 0) + 1
        return stem if count == 1 else f"{stem}{count}"


def plain(text: str) -> str:
    """Lower-case ASCII; NFD leaves đ whole, so it is replaced by hand."""
    letters = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


class Careers:
    """Turns each job into its assignments, with the decisions they rest on."""

    def __init__(self, register: Register, rng: Random, all_jobs: Sequence[Job]) -> None:
        self._rng = rng
        self.decisions = Decisions(register, rng)
        self._staff_posts: dict[str, list[Post]] = {"commune": [], "province": []}
        for job in all_jobs:
            if not job.leads:
                self._staff_posts[level(job.primary)].append(job.primary)

    def of(self, person: str, job: Job) -> Iterator[Assignment]:
        start = self._rng.choice(LATER) if self._rng.random() < APPOINTED_LATER else REORGANISATION
        if not job.leads and self._rng.random() < MOVED_ONCE:
            before = self._elsewhere(job.primary, level(job.primary))
            if before is not None:
                start = self._rng.choice(LATER)
                yield self._assignment(person, before, "primary", REORGANISATION, valid_to=start)
        yield self._assignment(person, job.primary, "primary", start, leads=job.leads)
        for post in job.concurrent:
            yield self._assignment(person, post, "concurrent", start, leads=True)
        if job.acting:
            since = max(start, self._rng.choice(LATER))
            yield self._assignment(person, job.acting, "acting", since, leads=True)
        if job.primary.position == "CV" and self._rng.random() < SECONDED:
            other = {"commune": "province", "province": "commune"}[level(job.primary)]
            host = self._elsewhere(job.primary, other)
            if host is not None:
                since = max(start, self._rng.choice(LATER[-8:]))
                end = since.replace(year=since.year + self._rng.choice((2, 3)))
                post = Post(host.unit, "CV")
                yield self._assignment(person, post, "secondment", since, planned_end=end)

    def _elsewhere(self, post: Post, where: str) -> Post | None:
        """A staff post of another unit at that level, if there is one."""
        choices = self._staff_posts[where]
        for _ in range(5):
            if choices and (other := self._rng.choice(choices)).unit != post.unit:
                return other
        return None

    def _assignment(
        self,
        person: str,
        post: Post,
        kind: str,
        valid_from: date,
        *,
        leads: bool = False,
        valid_to: date | None = None,
        planned_end: date | None = None,
    ) -> Assignment:
        decision = self.decisions.need(post, valid_from, leads=leads)
        return Assignment(person, post, kind, valid_from, decision, valid_to, planned_end)


def level(post: Post) -> str:
    return "commune" if commune_of(post.unit) else "province"


def iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def assignment_row(number: int, assignment: Assignment, decision: Decision) -> tuple[str, ...]:
    return (
        f"A{number:06d}",
        assignment.person,
        *assignment.post,
        assignment.kind,
        iso(assignment.valid_from),
        iso(assignment.valid_to),
        iso(assignment.planned_end),
        decision.number,
        iso(decision.issued_on),
        decision.issuer,
    )


def write(path: Path, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def generate(people: int, seed: int, out: Path) -> None:
    """Writes both files; draws nothing from outside `seed`."""
    rng = Random(seed)
    register = Register.load()
    all_jobs = jobs(register, people, rng)
    crowd = Crowd(register, rng, people)
    careers = Careers(register, rng, all_jobs)

    persons: list[tuple[str, ...]] = []
    assignments: list[Assignment] = []
    for number, job in enumerate(all_jobs, start=1):
        key = f"P{number:06d}"
        persons.append(crowd.person(key, job))
        assignments.extend(careers.of(key, job))
    issued = careers.decisions.issue()

    out.mkdir(parents=True, exist_ok=True)
    write(out / "people.csv", PEOPLE_COLUMNS, persons)
    write(
        out / "assignments.csv",
        ASSIGNMENT_COLUMNS,
        (
            assignment_row(number, assignment, issued[assignment.decision])
            for number, assignment in enumerate(assignments, start=1)
        ),
    )


def count_of_people(text: str) -> int:
    people = int(text)
    if not FEWEST_PEOPLE <= people <= MOST_PEOPLE:
        raise argparse.ArgumentTypeError(f"between {FEWEST_PEOPLE} and {MOST_PEOPLE:,}")
    return people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=count_of_people, default=20_000)
    parser.add_argument("--seed", type=int, default=38)
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    args = parser.parse_args()
    generate(args.people, args.seed, args.out)


if __name__ == "__main__":
    main()
