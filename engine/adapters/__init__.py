"""The ports' implementations, each over one outside technology. Only `engine/bootstrap.py` names them."""
