"""The currencies that figures can be settled in."""

from __future__ import annotations

from typing import Final

_CODES: Final = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob
    brl bsd btn bwp byn bzd cad cdf chf clp cny cop crc cup cve czk djf dkk dop
    dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl htg huf
    idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp
    lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn myr mzn nad
    ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar
    sbd scr sdg sek sgd shp sle sos srd ssp std stn svc syp szl thb tjs tmt tnd
    top try ttd twd tzs uah ugx usd uyu uzs ves vnd vuv wst xaf xcd xcg xof xpf
    yer zar zmw zwg
    """
KNOWN: Final = frozenset(_CODES.split())
"""Lower-case ISO 4217 codes of money in use (source: docs.stripe.com/currencies)."""
