from models import PolyFocus

network = PolyFocus(8)
