"""Which tabs an account has open, and what each of its orders last said."""

from blitzhub import order_words
from blitzhub.push import Tabs


def test_only_an_accounts_first_tab_starts_and_its_last_one_ends_listening() -> None:
    tabs = Tabs()
    assert tabs.open("A", "1")
    assert not tabs.open("A", "2")
    assert tabs.open("B", "3")
    assert tabs.close("1") is None
    assert tabs.close("2") == "A"
    assert tabs.of("A") == ()
    assert tabs.of("B") == ("3",)


def test_a_tab_that_signs_in_as_somebody_else_leaves_the_first_account() -> None:
    tabs = Tabs()
    tabs.open("A", "1")
    tabs.open("B", "1")
    assert tabs.of("A") == ()
    assert tabs.of("B") == ("1",)


def test_closing_an_unknown_tab_is_harmless() -> None:
    assert Tabs().close("x") is None


def _order(state: str, order_id: str = "o1", **rest: object) -> dict[str, object]:
    facts = {"reason": None, "detail": None, "signature": None, "lamports": None, "tokens": None, "price": None}
    return {"type": "order", "order_id": order_id, "state": state, "side": "buy", **facts, **rest}


def test_an_orders_state_never_goes_back_whatever_the_order_of_its_events() -> None:
    events = [_order("confirmed"), _order("filled"), {"type": "balance"}, _order("rejected", "o2")]
    assert [event["state"] for event in order_words.latest_of_each_order(events)] == ["confirmed", "rejected"]


def test_the_words_of_a_fill_say_amount_and_price() -> None:
    filled = _order("filled", tokens="2300716596", price="215200000000", lamports="500000000")
    assert order_words.toast(filled, "VOLT").text == "Filled: 2,300.71 VOLT at 0.0002152"


def test_a_rejection_says_what_of_the_money_and_stays() -> None:
    words = order_words.toast(_order("rejected", reason="slippage"), "VOLT")
    assert words.text == "Not bought: the price moved past your limit. Nothing was spent."
    assert words.kind == "error"


def test_every_reason_of_the_engine_has_words() -> None:
    from engine.trading.orders import Reason

    assert {reason.value for reason in Reason} <= set(order_words.REASONS)
