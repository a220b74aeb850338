"""call -> journal -> approval -> execution -> receipt."""
