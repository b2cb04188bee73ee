"""Steps that decide about, register and announce versions."""
