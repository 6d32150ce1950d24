"""One contract and billing API in front of many payment providers, telling the truth about each of them."""
