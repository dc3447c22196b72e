"""The look: design tokens, and the theme generated from them."""
