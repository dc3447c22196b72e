"""Tabs by the ARIA pattern, unstyled: behaviour from Radix's primitives, looks from our own classes."""

from typing import Final

import reflex as rx

RADIX: Final = "radix-ui@1.8.1"


class _Primitive(rx.Component):
    library = RADIX


class TabsList(_Primitive):
    """The row of tab buttons."""

    tag = "Tabs.List"


class TabsTrigger(_Primitive):
    """One tab button."""

    tag = "Tabs.Trigger"
    value: rx.Var[str]


class TabsContent(_Primitive):
    """What one tab shows; kept mounted, so that live lists go on while hidden."""

    tag = "Tabs.Content"
    value: rx.Var[str]
    force_mount: rx.Var[bool]
