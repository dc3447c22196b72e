"""What a creator fills in, read strictly into a launch request; the API and the launch page both come through here."""

from dataclasses import dataclass

from engine.curve import BuyQuote, Opening, OpeningRefused, Terms, chosen_opening, quote_buy
from engine.services import Services
from engine.trading.inputs import read_amount, read_client_id
from engine.trading.launch import LaunchRequest, default_terms
from engine.trading.naming import read_description, read_name, read_symbol
from engine.trading.pictures import read_image


@dataclass(frozen=True, slots=True)
class LaunchForm:
    """A launch as the creator worded it, unchecked. `first_buy_lamports` absent, empty or "0": none."""

    client_id: object
    name: object
    symbol: object
    description: object = None
    image: object = None
    first_buy_lamports: object = None
    first_buy_min_tokens_out: object = None
    opening_fee_bps: object = None
    opening_fee_ms: object = None
    opening_cap_bps: object = None
    opening_cap_ms: object = None


async def read_launch(services: Services, form: LaunchForm) -> LaunchRequest:
    """The request in a form.

    Raises:
        Refusal: one value is not what it must be, or the first buy is one the curve would refuse.
    """
    client_id = read_client_id(form.client_id)
    lamports, minimum = _first_buy(form)
    terms = default_terms(services)
    opening = read_opening(form, terms)
    if lamports:
        first_buy_quote(terms, opening, lamports)
    return LaunchRequest(
        client_id=client_id,
        name=read_name(form.name),
        symbol=read_symbol(form.symbol),
        description=read_description(form.description),
        image=await read_image(services, form.image),
        first_buy_lamports=lamports,
        first_buy_min_tokens_out=minimum,
        opening=opening,
    )


def read_opening(form: LaunchForm, terms: Terms) -> Opening:
    """The rules of a token's first moments; what is left out is no rule.

    Raises:
        OpeningRefused: no whole numbers, half a rule, or one outside the platform's bounds.
    """
    wanted = (form.opening_fee_bps, form.opening_fee_ms, form.opening_cap_bps, form.opening_cap_ms)
    values = [0 if value is None else value for value in wanted]
    whole = [value for value in values if type(value) is int]
    if len(whole) < len(values):
        raise OpeningRefused("The opening's rules are whole numbers.", field="opening")
    fee_bps, fee_ms, cap_bps, cap_ms = whole
    return chosen_opening(fee_bps, fee_ms, cap_bps, cap_ms, terms.total_supply)


def first_buy_quote(terms: Terms, opening: Opening, lamports: int) -> BuyQuote:
    """What the creator's first buy brings, under the rules that hold at that moment.

    Raises:
        CurveRefusal: the curve refuses it, or it is over the cap.
    """
    quote = quote_buy(terms, 0, lamports, opening.fees(terms.fees, 0))
    cap = opening.cap_after(0)
    if cap is not None and quote.tokens > cap:
        raise OpeningRefused("The first buy is over the cap that its own opening sets.", field="first_buy")
    return quote


def _first_buy(form: LaunchForm) -> tuple[int, int]:
    if form.first_buy_lamports in (None, "", "0"):
        return 0, 1
    lamports = read_amount(form.first_buy_lamports, "first_buy_lamports")
    if form.first_buy_min_tokens_out is None:
        return lamports, 1
    return lamports, read_amount(form.first_buy_min_tokens_out, "first_buy_min_tokens_out")
