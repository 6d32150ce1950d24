"""Contracts from a CSV file: every problem of every row, with line, column and remedy."""

import datetime as dt
from pathlib import Path

import pytest

from paygate import JST, BankTransfer, Cycle, Manual, Money, Product, ProductType, Status
from paygate.cli.csv_file import RowProblem
from paygate.cli.csv_import import COLUMNS, Reading, read_rows
from paygate.cli.csv_names import (
    COLUMN_NAMES,
    KIND_NAMES,
    PAYMENT_NAMES,
    PRODUCT_TYPE_NAMES,
    STATUS_NAMES,
    plain,
)

CARD = "4111" + "1111" * 3

GOOD = {
    "contract_id": "C-1",
    "customer_id": "cus-1",
    "customer_name": "山田 花子",
    "customer_email": "hanako@example.com",
    "plan": "ゴールド会員",
    "kind": "monthly",
    "price": "3,000",
    "initial_fee": "1000",
    "special_price": "500",
    "special_periods": "2",
    "payment": "card",
    "account": "stripe",
    "token": "pm_one",
    "subscription": "sub_1",
    "start_on": "2026-01-31",
    "status": "active",
    "expires_on": "2026/12/1",
    "last_paid_at": "2026-10-31 09:00",
    "last_paid_amount": "2,500",
    "last_paid_reference": "pi_1",
    "products": "gold:MONTHLY_MAGAZINE|silver:monthly_school",
    "product_end_month": "2027年3月",
    "content_from": "2026-03-01",
}
PLAIN = {
    **dict.fromkeys(COLUMNS, ""),
    "contract_id": "C-1",
    "customer_id": "cus-1",
    "plan": "Gold",
    "kind": "monthly",
    "price": "3000",
    "payment": "card",
    "account": "stripe",
    "token": "pm_one",
    "start_on": "2026-01-31",
}


def quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def csv(*rows: dict[str, str], header: tuple[str, ...] = COLUMNS) -> str:
    return "\r\n".join([",".join(header), *(",".join(quoted(row[name]) for name in header) for row in rows), ""])


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: str | bytes, **options) -> Reading:
        path = tmp_path / "contracts.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_rows(path, accounts=["stripe", "univapay"], **options)

    return write_and_read


def only(reading: Reading) -> RowProblem:
    (problem,) = reading.problems
    return problem


def test_every_column_reaches_the_contract(read):
    reading = read(csv(GOOD))

    assert reading.problems == ()
    assert reading.lines == (2,)
    (row,) = reading.rows
    assert (row.contract_id, row.customer.id, row.customer.name) == ("C-1", "cus-1", "山田 花子")
    assert row.customer.email == "hanako@example.com"
    assert (row.plan.name, row.plan.price, row.plan.cycle) == ("ゴールド会員", Money(3000, "JPY"), Cycle.MONTHLY)
    assert (row.plan.initial_fee, row.plan.special_price) == (Money(1000, "JPY"), Money(500, "JPY"))
    assert row.plan.special_periods == 2
    assert row.plan.products == (
        Product("gold", ProductType.MONTHLY_MAGAZINE, end_month="2027-03"),
        Product("silver", ProductType.MONTHLY_SCHOOL, end_month="2027-03"),
    )
    assert (row.payment.account, row.payment.token) == ("stripe", "pm_one")
    assert row.content_from == dt.date(2026, 3, 1)
    assert (row.start_on, row.expires_on) == (dt.date(2026, 1, 31), dt.date(2026, 12, 1))
    assert row.status is Status.ACTIVE
    assert row.last_paid_at == dt.datetime(2026, 10, 31, 9, tzinfo=JST)
    assert (row.last_paid, row.reference, row.subscription) == (Money(2500, "JPY"), "pi_1", "sub_1")


def test_columns_may_come_in_any_order_and_optional_ones_may_be_missing(read):
    header = ("token", "start_on", "price", "plan", "payment", "kind", "customer_id", "contract_id", "account")

    assert read(csv(PLAIN, header=header)).rows == read(csv(PLAIN)).rows != ()


@pytest.mark.parametrize(
    ("kind", "cycle"),
    [
        ("one_off", None),
        ("DAILY", Cycle.DAILY),
        ("semiannual", Cycle.SEMIANNUAL),
        ("recurring monthly", Cycle.MONTHLY),
        ("recurring:annual", Cycle.ANNUAL),
    ],
)
@pytest.mark.rule("R-008")
def test_the_kind_says_whether_and_how_often_a_plan_renews(read, kind, cycle):
    (row,) = read(csv({**PLAIN, "kind": kind})).rows

    assert row.plan.cycle is cycle


@pytest.mark.parametrize(("payment", "value"), [("bank_transfer", BankTransfer()), ("Manual", Manual())])
def test_contracts_without_a_card_need_neither_account_nor_token(read, payment, value):
    (row,) = read(csv({**PLAIN, "payment": payment, "account": "", "token": ""})).rows

    assert row.payment == value


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-31T09:00:00+09:00", "2026-10-31T00:00:00+00:00"),
        ("2026-10-31T00:00:00Z", "2026-10-31T00:00:00+00:00"),
        ("2026-10-31T09:00:00.250+0900", "2026-10-31T00:00:00+00:00"),
        ("2026-10-31 09:00:30", "2026-10-31T00:00:30+00:00"),
        ("2026/10/31 9:00", "2026-10-31T00:00:00+00:00"),
    ],
)
@pytest.mark.rule("R-001", "R-002")
def test_a_time_without_a_zone_is_japanese_time(read, text, instant):
    (row,) = read(csv({**PLAIN, "last_paid_at": text})).rows

    assert row.last_paid_at.isoformat() == instant


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("contract_id", "", "the value is missing"),
        ("customer_id", "", "the value is missing"),
        ("customer_email", "hanako", "not an e-mail address"),
        ("plan", "", "the value is missing"),
        ("kind", "montly", "not known"),
        ("kind", "recurring", "a recurring plan needs its cycle"),
        ("kind", "recurring sometimes", "not known"),
        ("price", "", "the value is missing"),
        ("price", "30.5", "yen have no fractions"),
        ("price", "-3000", "an amount is not negative"),
        ("price", "3E+03", "a whole number of yen is not shortened with E"),
        ("price", "▲500", "an amount is not negative"),
        ("price", "三千円", "the number is written in kanji"),
        ("initial_fee", "free", "not a whole number of yen"),
        ("special_periods", "many", "not a whole number of periods"),
        ("payment", "cash", "not known"),
        ("account", "", "the value is missing"),
        ("account", "strpe", "no such account is configured"),
        ("start_on", "31.1.2026", "the year stands last, so day and month could be meant either way"),
        ("start_on", "26/1/31", "the year has two digits, so it could be meant in several ways"),
        ("start_on", "46027", "a spreadsheet's serial number of a day (2026-01-05), not a date"),
        ("start_on", "R8.1.5", "a year of an era, which would be 2026"),
        ("start_on", "令和元年5月1日", "a year of an era, which would be 2019"),
        ("start_on", "2026/1/5 10:00", "a time of day where a day is wanted"),
        ("start_on", "2026年1月5日(火)", "the day and its weekday contradict each other (2026-01-05 is 月)"),
        ("last_paid_at", "令和8年1月5日 10:00", "a year of an era, which would be 2026"),
        ("start_on", "2026-02-30", "no such day in the calendar"),
        ("status", "RUNNING", "not known"),
        ("expires_on", "2026-1/31", "not a date"),
        ("last_paid_at", "2026-10-31", "not a point in time"),
        ("last_paid_at", "2026-10-31 25:00", "no such point in time"),
        ("product_end_month", "2027-13", "not a month"),
        ("product_end_month", "2027-03", "a final month is given without products"),
        ("products", "gold", "not a list of products"),
        ("products", "gold:PAPER", "not known"),
        ("products", "a:MONTHLY_UNLOCK|a:MONTHLY_UNLOCK", "a product is named twice"),
        ("products", "book:BUYOUT", "plan 'Gold': with these products the plan is one-off"),
        ("customer_name", "花子\x1b[31m", "the value holds a line break or another control character"),
    ],
)
def test_a_wrong_value_is_told_with_line_column_value_and_remedy(read, column, value, problem):
    told = only(read(csv({**PLAIN, "contract_id": "C-0"}, {**PLAIN, column: value})))

    assert (told.line, told.column, told.problem) == (3, column, problem)
    assert told.value_shown == value.replace("\x1b", "·")
    assert told.remedy


@pytest.mark.parametrize(
    "text", ["３０００", "¥3,000", "￥3,000", "3000円", "\\3,000", "￥３，０００円", "¥3,000-", "　3000 円"]
)
def test_an_amount_is_read_as_japanese_offices_write_it(read, text):
    (row,) = read(csv({**PLAIN, "price": text})).rows

    assert row.plan.price == Money(3000, "JPY")


@pytest.mark.parametrize(
    "text",
    [
        "2026年1月5日",
        "２０２６年０１月０５日",
        "2026/1/5",
        "2026.1.5",
        "20260105",
        "2026年1月5日(月)",
        "2026/1/5 0:00:00",
    ],
)
def test_a_day_is_read_as_japanese_offices_write_it(read, text):
    (row,) = read(csv({**PLAIN, "start_on": text})).rows

    assert row.start_on == dt.date(2026, 1, 5)


@pytest.mark.parametrize("text", ["2026年1月5日 10時30分", "2026年1月5日（月） 10:30", "２０２６/１/５ １０：３０"])
@pytest.mark.rule("R-001")
def test_a_time_is_read_as_japanese_offices_write_it(read, text):
    (row,) = read(csv({**PLAIN, "last_paid_at": text})).rows

    assert row.last_paid_at == dt.datetime(2026, 1, 5, 10, 30, tzinfo=JST)


@pytest.mark.parametrize(
    ("column", "value", "own"),
    [
        ("payment", "銀行振込", BankTransfer()),
        ("kind", "毎月", Cycle.MONTHLY),
        ("kind", "定期課金:年払い", Cycle.ANNUAL),
        ("status", "契約継続中", Status.ACTIVE),
        ("products", "gold:月額マガジン方式", (Product("gold", ProductType.MONTHLY_MAGAZINE),)),
    ],
)
def test_a_value_may_have_its_japanese_name(read, column, value, own):
    card = {"account": "", "token": ""} if column == "payment" else {}
    (row,) = read(csv({**PLAIN, **card, column: value})).rows

    found = {"payment": row.payment, "kind": row.plan.cycle, "status": row.status, "products": row.plan.products}
    assert found[column] == own


@pytest.mark.parametrize("column", ["contract_id", "customer_id", "customer_email", "token", "last_paid_reference"])
@pytest.mark.parametrize("letter", ["\u200b", "\ufeff", "\u202e", "\u00ad", "\u3164", "\u2060"])
def test_an_id_with_a_character_that_nobody_can_see_is_refused_and_the_character_is_named(read, column, letter):
    told = read(csv({**PLAIN, "last_paid_at": "2026-01-31 10:00", column: f"a{letter}@b"})).problems[0]

    assert told.column == column
    assert f"U+{ord(letter):04X}" in told.problem


@pytest.mark.parametrize("column", ["last_paid_amount", "last_paid_reference"])
def test_a_payment_without_its_time_is_a_problem(read, column):
    assert only(read(csv({**PLAIN, column: "500"}))).column == column


@pytest.mark.parametrize(
    ("given", "missing"), [("special_price", "special_periods"), ("special_periods", "special_price")]
)
@pytest.mark.rule("R-060")
def test_special_price_and_number_of_periods_go_together(read, given, missing):
    assert only(read(csv({**PLAIN, given: "2"}))).column == missing


@pytest.mark.parametrize("column", ["initial_fee", "special_price", "special_periods"])
@pytest.mark.rule("R-064")
def test_a_one_off_plan_has_no_fee_and_no_special_price(read, column):
    problems = read(csv({**PLAIN, "kind": "one_off", column: "2"})).problems

    assert ("a one-off plan has none", column) in {(problem.problem, problem.column) for problem in problems}


@pytest.mark.parametrize("column", ["account", "token"])
def test_only_a_card_has_an_account_and_a_token(read, column):
    told = only(read(csv({**PLAIN, "payment": "manual", "account": "", "token": "", column: "stripe"})))

    assert (told.column, told.problem) == (column, "only a card has one, not manual")


@pytest.mark.parametrize("number", [CARD, " ".join(CARD[at : at + 4] for at in range(0, 16, 4))])
@pytest.mark.rule("R-168")
def test_a_card_number_in_place_of_a_token_is_refused_and_never_repeated(read, number):
    reading = read(csv({**PLAIN, "token": number}))

    assert only(reading).column == "token"
    assert only(reading).problem == "this looks like a card number"
    assert "4111" not in repr(reading)


def test_a_card_number_in_any_other_column_is_not_repeated_either(read):
    assert "4111" not in repr(read(csv({**PLAIN, "kind": CARD})).problems)


def test_all_problems_of_all_rows_are_told_at_once(read):
    reading = read(csv({**PLAIN, "price": "x", "kind": "y", "token": ""}, PLAIN, {**PLAIN, "start_on": "z"}))

    assert [(problem.line, problem.column) for problem in reading.problems] == [
        (2, "price"),
        (2, "kind"),
        (2, "token"),
        (3, "contract_id"),
        (4, "contract_id"),
        (4, "start_on"),
    ]


def test_a_repeated_id_names_the_line_of_the_first(read):
    told = only(read(csv(PLAIN, PLAIN)))

    assert (told.line, told.problem) == (3, "the id appears on line 2 already")


def test_lines_are_those_of_the_file_even_after_a_value_of_two_lines(read):
    reading = read(csv({**PLAIN, "customer_name": "two\nlines"}, {**PLAIN, "contract_id": "C-2", "price": "x"}))

    assert [(problem.line, problem.column) for problem in reading.problems] == [(2, "customer_name"), (4, "price")]


@pytest.mark.parametrize(("text", "problem"), [("C-9,cus-9", "too few fields"), ("," * 30 + "x", "too many fields")])
def test_a_row_of_the_wrong_length_is_told_and_the_others_are_read(read, text, problem):
    reading = read(csv(PLAIN) + f"{text}\r\n" + csv({**PLAIN, "contract_id": "C-2"}).split("\r\n")[1])

    assert only(reading).line == 3
    assert only(reading).problem.startswith(problem)
    assert [row.contract_id for row in reading.rows] == ["C-1", "C-2"]


def test_lines_without_values_are_passed_over(read):
    reading = read(csv(PLAIN) + "\r\n" + "," * (len(COLUMNS) - 1) + "\r\n")

    assert (len(reading.rows), reading.problems) == (1, ())


def test_a_quote_that_is_never_closed_ends_the_reading_with_its_line(read):
    reading = read(csv(PLAIN) + '"C-2,cus-2\r\nC-3,cus-3\r\n')

    assert only(reading).line == 3
    assert "cannot be read" in only(reading).problem


def test_what_a_spreadsheet_would_calculate_is_a_text(read):
    (row,) = read(csv({**PLAIN, "customer_name": '=HYPERLINK("http://x.example")'})).rows

    assert row.customer.name == '=HYPERLINK("http://x.example")'


# --- the file as a whole ---------------------------------------------------------------------------------------------


def test_an_empty_file_is_told(read):
    assert only(read(b"")).problem == "the file is empty"


def test_a_header_without_rows_is_told(read):
    assert only(read(csv())).problem == "there is no row below the header"


def test_a_file_without_a_header_is_told_which_columns_there_are(read):
    told = only(read("C-1,cus-1,Gold,monthly,3000\n"))

    assert told.problem == "the file has no header line"
    assert "contract_id, customer_id" in told.remedy


@pytest.mark.parametrize(("mark", "word"), [("\t", "tabs"), (";", "semicolons")])
def test_another_delimiter_is_recognised(read, mark, word):
    assert only(read(csv(PLAIN).replace(",", mark))).problem == f"the fields are separated by {word}"


def test_an_unknown_column_is_told_with_the_one_that_was_probably_meant(read):
    reading = read(csv(PLAIN).replace("expires_on", "expire_on"))

    assert (only(reading).line, only(reading).column) == (1, "expire_on")
    assert only(reading).remedy == "did you mean 'expires_on'?"
    assert reading.header_wrong


def test_missing_columns_are_told_all_at_once(read):
    header = tuple(column for column in COLUMNS if column not in {"price", "start_on"})

    assert {problem.column for problem in read(csv(PLAIN, header=header)).problems} == {"price", "start_on"}


def test_a_column_that_appears_twice_is_told(read):
    assert only(read(csv(PLAIN, header=(*COLUMNS, "plan")))).column == "plan"


def test_a_header_may_name_the_columns_in_japanese(read):
    names = {
        "contract_id": "契約ＩＤ",
        "customer_id": "会員 番号",
        "customer_name": "氏名",
        "customer_email": "メールアドレス",
        "plan": "プラン名",
        "price": "金額",
        "payment": "お支払い方法",
        "start_on": "契約開始日",
        "expires_on": "有効期限",
    }
    header = ",".join(names.get(column, column) for column in COLUMNS)

    assert read(csv(GOOD).replace(",".join(COLUMNS), header)).rows == read(csv(GOOD)).rows != ()


def test_no_name_of_a_column_or_value_means_two_things():
    for names in (COLUMN_NAMES, PAYMENT_NAMES, KIND_NAMES, STATUS_NAMES, PRODUCT_TYPE_NAMES):
        compared = [plain(name) for own, others in names.items() for name in {own, *others}]
        assert sorted(set(compared)) == sorted(compared)
    assert set(COLUMN_NAMES) == set(COLUMNS)
    assert set(STATUS_NAMES) == {status.value for status in Status}
    assert set(PRODUCT_TYPE_NAMES) == {kind.value for kind in ProductType}


def test_one_column_under_two_names_is_told_with_both(read):
    told = only(read(csv(PLAIN, header=(*COLUMNS, "price")).replace("content_from,price", "content_from,金額")))

    assert (told.column, told.problem) == ("price", "the column appears twice, as “price” and “金額”")


def test_empty_columns_at_the_end_are_no_columns(read):
    lines = csv(PLAIN, {**PLAIN, "contract_id": "C-2"}).split("\r\n")

    assert len(read("\r\n".join(line + ",," if line else line for line in lines)).rows) == 2
    told = only(read("\r\n".join([lines[0] + ",", lines[1] + ",lost"])))
    assert (told.line, told.problem) == (2, "too many fields: 24 instead of 23")


def test_a_column_without_a_name_between_others_is_told(read):
    told = only(read(csv(PLAIN).replace("plan,kind", "plan,,kind").replace('"Gold",', '"Gold","",')))

    assert (told.line, told.problem) == (1, "a column has no name")


def test_a_byte_order_mark_is_no_part_of_the_first_column(read):
    assert read(b"\xef\xbb\xbf" + csv(PLAIN).encode()).problems == ()


def test_shift_jis_with_kana_is_read_as_what_it_is(read):
    (row,) = read(csv({**PLAIN, "customer_name": "すずき"}).encode("cp932")).rows

    assert row.customer.name == "すずき"


@pytest.mark.parametrize("name", ["山田花子", "ﾔﾏﾀﾞ ﾊﾅｺ", "髙橋　薫"])
def test_shift_jis_without_full_width_kana_is_recognised_by_its_runs_of_characters(read, name):
    (row,) = read(csv({**PLAIN, "customer_name": name, "plan": "会員"}).encode("cp932")).rows

    assert row.customer.name == name


@pytest.mark.parametrize("name", ["O’Neil", "Zoë Künast", "Jérôme Naïl", "Señor Muñoz"])
def test_western_names_in_a_western_encoding_are_not_taken_for_japanese(read, name):
    told = read(csv({**PLAIN, "customer_name": name}).encode("cp1252")).problems[0]

    assert told.problem == "the text is not UTF-8"


def test_shift_jis_that_could_be_something_else_is_refused_with_its_line_unless_it_is_named(read):
    content = csv({**PLAIN, "customer_name": "林 Ken"}).encode("cp932")

    told = only(read(content))
    assert (told.line, told.problem) == (2, "the text is not UTF-8")
    assert "--encoding cp932" in told.remedy
    assert read(content, encoding="cp932").rows[0].customer.name == "林 Ken"


def test_text_in_no_known_encoding_is_told_with_its_line(read):
    told = only(read(csv(PLAIN, {**PLAIN, "contract_id": "ÿ"}).encode("latin-1")))

    assert (told.line, told.problem) == (3, "the text is not UTF-8")
    assert "CSV UTF-8" in told.remedy


def test_an_encoding_that_the_file_does_not_have_is_told(read):
    assert only(read(b"a,b\n\x82\n", encoding="cp932")).problem == "the text is not Shift_JIS"


@pytest.mark.parametrize(("start", "name"), [(b"\xff\xfe", "UTF-16"), (b"PK\x03\x04", "an Excel workbook (.xlsx)")])
def test_another_kind_of_file_is_called_by_its_name(read, start, name):
    assert only(read(start + b"...")).problem == f"the file is {name}, not CSV in UTF-8"


def test_reading_tells_how_far_it_is(read):
    reached: list[int] = []
    read(csv(PLAIN, {**PLAIN, "contract_id": "C-2"}), progress=reached.append)

    assert reached == [2, 3]


def test_the_columns_of_the_reference_are_the_columns_of_the_reader():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")

    assert [column for column in COLUMNS if f"`{column}`" not in page] == []
