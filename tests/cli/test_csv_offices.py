"""Files as Japanese offices export them: marks of forms in headers, lines before the table, kept zeros, old ends."""

from __future__ import annotations

import pytest

from paygate.cli.csv_import import read_rows

HEADER = "契約ID,顧客番号,顧客名,メールアドレス,プラン名,種別,月額料金,支払方法,契約開始日"
ROW = 'A-1,1001,（株）山田商店,a@b.jp,ゴールド,毎月,"3,000",銀行振込,2026/1/5'


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "office.csv"
    path.write_bytes(text.encode(encoding))
    return read_rows(path, accounts=[])


def only(reading):
    assert reading.problems == ()
    [row] = reading.rows
    return row


@pytest.mark.rule("R-425")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=["crlf", "lf", "cr"])
def test_what_excel_writes_is_read_in_every_encoding_and_line_end(tmp_path, encoding, end):
    row = only(read(tmp_path, end.join([HEADER + ",,", ROW + ",,", ",,,,,,,,,,", ""]), encoding))

    assert (row.contract_id, row.customer.name, row.plan.price.minor) == ("A-1", "（株）山田商店", 3000)


@pytest.mark.rule("R-425")
@pytest.mark.parametrize("name", ["㈱髙﨑①商店", "山田，太郎", "山田、花子", "ﾔﾏﾀﾞ ﾀﾛｳ", "A&B\u3000商店", "山田“屋”"])
def test_names_stay_as_they_are(tmp_path, name):
    assert only(read(tmp_path, f"{HEADER}\n{ROW.replace('（株）山田商店', name)}\n", "cp932")).customer.name == name


@pytest.mark.rule("R-425")
@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("契約ID", "契約ID（必須）").replace("顧客番号", "顧客番号 *").replace("顧客名", "顧客名※任意(任意)".replace("任意(", "(")),
        HEADER.replace("月額料金", "月額料金(円)").replace("契約開始日", "契約開始日（yyyy/mm/dd）"),
        HEADER.replace("月額料金", "月額料金【税込】").replace("顧客番号", "●顧客番号［半角］"),
        HEADER.replace("メールアドレス", "ﾒｰﾙｱﾄﾞﾚｽ").replace("契約開始日", '"契約\n開始日"'),
    ],
)  # fmt: skip
def test_notes_of_forms_are_no_part_of_a_columns_name(tmp_path, header):
    assert only(read(tmp_path, f"{header}\n{ROW}\n")).plan.price.minor == 3000


@pytest.mark.rule("R-425")
def test_a_price_without_tax_is_not_taken_for_the_price(tmp_path):
    reading = read(tmp_path, f"{HEADER.replace('月額料金', '月額料金（税抜）')}\n{ROW}\n")

    assert reading.rows == ()
    assert "月額料金（税抜）" in [problem.column for problem in reading.problems]


@pytest.mark.rule("R-425")
@pytest.mark.parametrize("before", ["\n", ",,,,\n\n", "sep=,\n", "\n \u3000,\n"])
def test_empty_lines_and_the_delimiters_line_may_come_before_the_header(tmp_path, before):
    reading = read(tmp_path, f"{before}{HEADER}\n{ROW}\n")

    assert only(reading).contract_id == "A-1"
    assert reading.lines == (before.count("\n") + 2,)


@pytest.mark.rule("R-425")
@pytest.mark.parametrize(("cell", "contract_id"), [('"=""00012"""', "00012"), ("00012", "00012"), ("=1+1", "=1+1")])
def test_zeros_that_were_kept_for_excel_are_kept(tmp_path, cell, contract_id):
    assert only(read(tmp_path, f"{HEADER}\n{ROW.replace('A-1', cell)}\n")).contract_id == contract_id


@pytest.mark.rule("R-425")
def test_the_mark_of_the_end_of_a_file_is_no_row(tmp_path):
    assert only(read(tmp_path, f"{HEADER}\n{ROW}\n\x1a", "cp932")).contract_id == "A-1"


@pytest.mark.rule("R-425")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER.replace(",", "\t") + "\nA\tB\n", "tabs"),
        (HEADER.replace(",", ";") + "\nA;B\n", "semicolons"),
        (f"契約一覧,,\n{HEADER}\n{ROW}\n", "no header"),
        (f"{HEADER}\n{ROW.replace('（株）山田商店', chr(34) + 'a' + chr(10) + 'b' + chr(34))}\n", "line break"),
        (f"{HEADER}\n{ROW.replace('2026/1/5', 'R8.1.5')}\n", "era"),
        (f"{HEADER}\n{ROW.replace('2026/1/5', '46027')}\n", "serial number"),
        (f"{HEADER}\n{ROW.replace(chr(34) + '3,000' + chr(34), '3E+03')}\n", "with E"),
    ],
)
def test_what_stays_refused_says_what_is_wrong(tmp_path, text, says):
    reading = read(tmp_path, text)

    assert reading.rows == ()
    assert says in " ".join(problem.problem for problem in reading.problems)
