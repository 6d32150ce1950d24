"""The names that Japanese offices give columns and values, beside paygate's own (no click here).

Names are compared without blanks, hyphens, underscores and middle dots, in any width and case: ``契約ＩＤ``, ``契約 id`` and
``契約ID`` are one. A name that two columns could claim is in neither list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

__all__ = [
    "COLUMN_NAMES",
    "KIND_NAMES",
    "PAYMENT_NAMES",
    "PRODUCT_TYPE_NAMES",
    "STATUS_NAMES",
    "column_of",
    "own_text",
    "plain",
    "spelt",
]

_LEFT_OUT = re.compile(r"[\s_\-・./]+")


def plain(name: str) -> str:
    """*name* in the form in which names are compared."""
    return _LEFT_OUT.sub("", unicodedata.normalize("NFKC", name)).casefold()


#: What forms add to the name of a column: that it has to be filled in, or how. Whether tax is in a price says more.
_NOTE = re.compile(
    r"[*＊※●◎]+|[(（\[［【](?:必須|任意|円|税込|税込み|半角|全角|半角英数|yyyy[-/]mm[-/]dd)[)）\]］】]", re.IGNORECASE
)


def column_of(cell: str, known: Mapping[str, str]) -> str | None:
    """The column whose name is in the header's *cell*, with or without such notes; None where it is none of *known*.

    :param known: compared form → the column's own name, as :func:`spelt` gives it.
    """
    return known.get(plain(cell)) or known.get(plain(_NOTE.sub("", cell)))


def own_text(name: str) -> str | None:
    """The name of a column with a text of the seller's own, ``metadata.order``, its key as it is written; else None."""
    first, dot, key = unicodedata.normalize("NFC", name).partition(".")
    return f"metadata.{key.strip()}" if dot and plain(first) in {"metadata", "メタデータ"} and key.strip() else None


def spelt(names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Compared form → paygate's own name, for its own names and all others of *names*."""
    return {plain(other): own for own, others in names.items() for other in (own, *others)}


#: Column → what it is also called in the header of a file.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "contract_id": ("契約ID", "契約番号", "契約No", "契約コード", "契約管理番号"),
    "customer_id": (
        "顧客ID", "顧客番号", "顧客No", "顧客コード", "会員ID", "会員番号", "会員No", "会員コード", "ユーザーID",
        "ユーザID", "契約者ID", "契約者番号", "お客様番号", "お客様ID",
    ),
    "customer_name": (
        "顧客名", "顧客氏名", "氏名", "名前", "お名前", "会員名", "会員氏名", "契約者名", "契約者氏名", "契約者",
        "ユーザー名", "ユーザ名", "お客様名", "name",
    ),
    "customer_email": (
        "メールアドレス", "メール", "Eメール", "Eメールアドレス", "電子メール", "顧客メールアドレス", "顧客メール",
        "会員メールアドレス", "email", "mail", "email address", "mail address",
    ),
    "plan": ("プラン", "プラン名", "コース", "コース名", "契約プラン", "契約プラン名", "契約コース"),
    "kind": (
        "種別", "契約種別", "契約タイプ", "契約形態", "支払サイクル", "支払いサイクル", "請求サイクル", "課金サイクル",
        "更新サイクル", "サイクル", "支払周期", "支払い周期", "請求周期", "cycle",
    ),
    "price": (
        "金額", "価格", "料金", "契約金額", "請求金額", "請求額", "月額", "月額料金", "月会費", "会費", "利用料金",
        "プラン料金", "単価", "税込金額", "税込価格", "amount",
    ),
    "initial_fee": ("初期費用", "初回費用", "入会金", "登録料", "初期手数料", "事務手数料"),
    "special_price": ("特別価格", "特別料金", "特別期間価格", "特別期間の価格", "特別期間料金", "割引価格"),
    "special_periods": ("特別期間", "特別期間数", "特別期間の回数", "特別期間回数", "特別回数"),
    "payment": (
        "支払方法", "支払い方法", "お支払方法", "お支払い方法", "決済方法", "決済手段", "支払手段", "payment method",
    ),
    "account": ("アカウント", "決済アカウント", "決済会社", "決済代行会社", "決済代行", "決済サービス"),
    "token": ("トークン", "カードトークン", "カードID", "決済トークン", "トークンID"),
    "subscription": ("サブスクリプションID", "サブスクID", "定期課金ID", "継続課金ID", "定期課金番号", "継続課金番号"),
    "start_on": ("契約開始日", "開始日", "利用開始日", "サービス開始日", "契約日", "start date"),
    "status": ("状態", "ステータス", "契約状態", "契約ステータス", "契約状況"),
    "expires_on": ("有効期限", "有効期限日", "契約満了日", "満了日", "利用期限", "利用期限日", "expiry date"),
    "last_paid_at": (
        "最終支払日時", "最終支払日", "最終支払い日時", "最終支払い日", "最終入金日時", "最終入金日", "最終決済日時",
        "最終決済日", "前回支払日時", "前回支払日", "前回決済日時", "前回決済日", "直近決済日時", "直近決済日",
    ),
    "last_paid_amount": (
        "最終支払額", "最終支払金額", "最終支払い金額", "最終入金額", "最終入金金額", "最終決済金額", "前回支払金額",
        "前回支払額", "前回決済金額", "直近決済金額",
    ),
    "last_paid_reference": ("最終決済ID", "最終支払ID", "最終課金ID", "前回決済ID", "直近決済ID", "決済ID", "取引ID"),
    "products": ("商品", "商品コード", "商品一覧", "対象商品"),
    "product_end_month": ("商品終了月", "商品終了年月", "終了年月", "最終月", "提供終了月", "販売終了月"),
    "content_from": ("コンテンツ公開開始日", "コンテンツ開始日", "公開開始日", "閲覧開始日"),
}  # fmt: skip

#: ``payment`` → what it is also called.
PAYMENT_NAMES: Mapping[str, tuple[str, ...]] = {
    "card": ("カード", "クレジットカード", "クレジット", "カード決済", "クレジットカード決済", "クレカ"),
    "bank_transfer": ("銀行振込", "振込", "振込み", "振り込み", "銀行振り込み", "口座振込"),
    "manual": ("手動", "手動決済", "現金", "その他"),
}

#: ``kind`` → what it is also called.
KIND_NAMES: Mapping[str, tuple[str, ...]] = {
    "one_off": ("買い切り", "買切り", "買切", "単発", "一括", "一回払い", "1回払い", "都度"),
    "daily": ("毎日", "日額", "1日"),
    "weekly": ("毎週", "週額", "1週間"),
    "biweekly": ("隔週", "2週間"),
    "monthly": ("毎月", "月額", "月払い", "月払", "1か月", "1ヶ月", "1カ月", "1ヵ月", "月次"),
    "quarterly": ("四半期", "3か月", "3ヶ月", "3カ月", "3ヵ月", "3か月ごと"),
    "semiannual": ("半年", "6か月", "6ヶ月", "6カ月", "6ヵ月", "半年ごと", "半年払い"),
    "annual": ("毎年", "年額", "年払い", "年払", "1年", "12か月", "12ヶ月", "年次"),
}

#: ``status`` → its name on the seller's screens (domain §1.3).
STATUS_NAMES: Mapping[str, tuple[str, ...]] = {
    "PENDING_PAYMENT": ("決済待ち",),
    "NOT_STARTED": ("契約開始前",),
    "ESTABLISHED": ("契約成立",),
    "ACTIVE": ("契約継続中", "継続中"),
    "SPECIAL_PERIOD": ("特別期間",),
    "PAST_DUE": ("決済未確認",),
    "CANCEL_SCHEDULED": ("解約予約",),
    "TERMINATED": ("解約", "解約済", "解約済み"),
    "CANCELED": ("キャンセル", "キャンセル済", "キャンセル済み"),
}

#: Type of a product → its name on the seller's screens (domain §1.2).
PRODUCT_TYPE_NAMES: Mapping[str, tuple[str, ...]] = {
    "BUYOUT": ("買い切り方式", "買い切り"),
    "BUYOUT_UNLOCK": ("買い切りアンロック方式", "買い切りアンロック"),
    "MONTHLY_ALL_ACCESS": ("月額読み放題方式", "月額読み放題"),
    "MONTHLY_UNLOCK": ("月額アンロック方式", "月額アンロック"),
    "MONTHLY_MAGAZINE": ("月額マガジン方式", "月額マガジン"),
    "MONTHLY_SCHOOL": ("月額スクール方式", "月額スクール"),
}
