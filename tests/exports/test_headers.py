"""Headers of Ads Manager exports in seven languages."""

from __future__ import annotations

import pytest

from adlab.core.insights import STORED_NAMES
from adlab.exports.headers import METRICS, currency_of, key, recognise

FULL = [
    "date",
    "campaign_name",
    "spend",
    "impressions",
    "reach",
    "link_clicks",
    "purchases",
    "revenue",
]


def test_metrics_are_the_stored_columns_in_their_order() -> None:
    assert tuple(n.removesuffix("_micro") for n in STORED_NAMES) == METRICS


@pytest.mark.parametrize(
    "headers",
    [
        "Day|Campaign name|Amount spent (GBP)|Impressions|Reach|Link clicks|Purchases|"
        "Purchases conversion value",
        "Tag|Kampagnenname|Ausgegebener Betrag (EUR)|Impressionen|Reichweite|Link-Klicks|Käufe|"
        "Conversion-Wert für Käufe",
        "Jour|Nom de la campagne|Montant dépensé (EUR)|Impressions|Couverture|Clics sur un lien|"
        "Achats|Valeur de conversion des achats",
        "Día|Nombre de la campaña|Importe gastado (EUR)|Impresiones|Alcance|Clics en el enlace|"
        "Compras|Valor de conversión de compras",
        "Giorno|Nome della campagna|Importo speso (EUR)|Impression|Copertura|Clic sul link|"
        "Acquisti|Valore di conversione degli acquisti",
        "Dia|Nome da campanha|Valor usado (BRL)|Impressões|Alcance|Cliques no link|Compras|"
        "Valor de conversão da compra",
        "Dag|Campagnenaam|Besteed bedrag (EUR)|Weergaven|Bereik|Klikken op links|Aankopen|"
        "Conversiewaarde van aankopen",
    ],
)
def test_seven_languages(headers: str) -> None:
    row = headers.split("|")
    assert recognise(row) == {name: i for i, name in enumerate(FULL)}


def test_case_accents_and_apostrophes_do_not_matter() -> None:
    found = recognise(["MONTANT DEPENSE (EUR)", "Nom de l’ensemble de publicités", "jour"])
    assert found == {"spend": 0, "adset_name": 1, "date": 2}


def test_results_and_ratios_are_left_out() -> None:
    assert (
        recognise(["Results", "Cost per results", "CTR (all)", "CPC (EUR)", "Frequency", "CPM"])
        == {}
    )


def test_all_purchases_come_before_website_purchases() -> None:
    assert recognise(["Website purchases", "Purchases"]) == {"purchases": 1}
    assert recognise(["Website purchases"]) == {"purchases": 0}


def test_currencies_in_headers() -> None:
    assert currency_of("Amount spent (EUR)") == "EUR"
    assert currency_of("Spend [USD]") == "USD"
    assert currency_of("Amount spent (€)") == "EUR"
    assert currency_of("Clicks (all)") is None
    assert key("  Of  Impressions ") == "of impressions"
