"""Every process of the platform on real servers, killed, frozen and cut off under load: what must hold does."""
