"""What a creator fills in, read strictly into a launch request; the API and the launch page both come through here."""

from dataclasses import dataclass

from engine.curve import quote_buy
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


async def read_launch(services: Services, form: LaunchForm) -> LaunchRequest:
    """The request in a form.

    Raises:
        Refusal: one value is not what it must be, or the first buy is one the curve would refuse.
    """
    client_id = read_client_id(form.client_id)
    lamports, minimum = _first_buy(form)
    if lamports:
        quote_buy(default_terms(services), 0, lamports)
    return LaunchRequest(
        client_id=client_id,
        name=read_name(form.name),
        symbol=read_symbol(form.symbol),
        description=read_description(form.description),
        image=await read_image(services, form.image),
        first_buy_lamports=lamports,
        first_buy_min_tokens_out=minimum,
    )


def _first_buy(form: LaunchForm) -> tuple[int, int]:
    if form.first_buy_lamports in (None, "", "0"):
        return 0, 1
    lamports = read_amount(form.first_buy_lamports, "first_buy_lamports")
    if form.first_buy_min_tokens_out is None:
        return lamports, 1
    return lamports, read_amount(form.first_buy_min_tokens_out, "first_buy_min_tokens_out")
