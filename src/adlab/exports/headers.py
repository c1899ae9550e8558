"""Headers of Ads Manager exports in the languages people export in.

Each field lists its headers, the preferred one first: where an export has both all purchases and
website purchases, the first is taken. Headers are compared without case, accents and currency.
Results, costs per result and ratios are left out on purpose: results mix different events, and
ratios are recomputed from their sums.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

NAMES = ("campaign_name", "adset_name", "ad_name")
IDS = ("campaign_id", "adset_id", "ad_id")
METRICS = (
    "spend", "impressions", "reach", "clicks", "link_clicks", "outbound_clicks",
    "landing_page_views", "post_engagements", "content_views", "searches", "adds_to_cart",
    "checkouts", "purchases", "revenue", "leads", "video_3s_plays", "thruplays",
)  # fmt: skip
MONEY = ("spend", "revenue")
# What a mapping may name.
FIELDS = ("date", *NAMES, *IDS, *METRICS)

_HEADERS: dict[str, str] = {
    "date": """day|date|tag|datum|jour|día|fecha|giorno|data|dia|dag""",
    "starts": """reporting starts|report start|date start|start date|Berichtsstart|Berichtsbeginn
        |Berichtsanfang|Beginn des Berichts|Auswertungsstart|Beginn des Auswertungszeitraums
        |début des rapports|début du rapport|début de la période|inicio del informe
        |inicio de los informes|inicio del reporte|inizio dei report|inizio del report
        |inizio report|início dos relatórios|início do relatório|início da geração de relatórios
        |start rapportage|begin rapportage|rapportage start|rapportage begint""",
    "ends": """reporting ends|report end|date stop|end date|Berichtsende|Ende des Berichts
        |Auswertungsende|Ende des Auswertungszeitraums|fin des rapports|fin du rapport
        |fin de la période|fin del informe|fin de los informes|fin del reporte|fine dei report
        |fine del report|fine report|término dos relatórios|encerramento dos relatórios
        |fim dos relatórios|término do relatório|fim do relatório|einde rapportage
        |rapportage einde|rapportage eindigt""",
    "account_id": """account id|ad account id|Konto-ID|Werbekonto-ID|ID du compte
        |identifiant du compte|identificador de la cuenta|ID de la cuenta|ID dell'account
        |ID account|identificação da conta|ID da conta|account-ID""",
    "currency": """currency|account currency|Währung|devise|divisa|moneda|valuta|moeda""",
    "campaign_name": """campaign name|campaign|Kampagnenname|Name der Kampagne|Kampagne
        |nom de la campagne|campagne|nombre de la campaña|nombre de campaña|campaña
        |nome della campagna|nome campagna|campagna|nome da campanha|campanha|campagnenaam
        |naam campagne|naam van campagne""",
    "campaign_id": """campaign id|Kampagnen-ID|ID der Kampagne|ID de la campagne
        |identifiant de la campagne|n° de campagne|identificador de la campaña|ID de la campaña
        |identificador de campaña|ID della campagna|ID campagna|identificação da campanha
        |ID da campanha|identificador da campanha|campagne-ID|ID van campagne""",
    "adset_name": """ad set name|ad set|adset name|adset|Anzeigengruppenname
        |Name der Anzeigengruppe|Anzeigengruppe|nom de l'ensemble de publicités
        |ensemble de publicités|nom de l'ensemble publicitaire|nombre del conjunto de anuncios
        |conjunto de anuncios|nome del gruppo di inserzioni|nome gruppo di inserzioni
        |gruppo di inserzioni|nome do conjunto de anúncios|conjunto de anúncios
        |naam advertentieset|advertentiesetnaam|naam van advertentieset|advertentieset""",
    "adset_id": """ad set id|adset id|Anzeigengruppen-ID|ID der Anzeigengruppe
        |ID de l'ensemble de publicités|identifiant de l'ensemble de publicités
        |identificador del conjunto de anuncios|ID del conjunto de anuncios
        |ID del gruppo di inserzioni|ID gruppo di inserzioni
        |identificação do conjunto de anúncios|ID do conjunto de anúncios
        |identificador do conjunto de anúncios|advertentieset-ID|ID advertentieset
        |ID van advertentieset""",
    "ad_name": """ad name|ad|Anzeigenname|Name der Anzeige|Werbeanzeigenname
        |Name der Werbeanzeige|Anzeige|nom de la publicité|publicité|nombre del anuncio|anuncio
        |nome dell'inserzione|nome inserzione|inserzione|nome do anúncio|anúncio
        |advertentienaam|naam advertentie|naam van advertentie|advertentie""",
    "ad_id": """ad id|Anzeigen-ID|ID der Anzeige|Werbeanzeigen-ID|ID de la publicité
        |identifiant de la publicité|identificador del anuncio|ID del anuncio
        |ID dell'inserzione|ID inserzione|identificação do anúncio|ID do anúncio
        |identificador do anúncio|advertentie-ID|ID advertentie|ID van advertentie""",
    "spend": """amount spent|spend|ausgegebener Betrag|montant dépensé|importe gastado
        |cantidad gastada|gasto|importo speso|valor usado|valor gasto|montante gasto
        |quantia gasta|besteed bedrag|uitgegeven bedrag""",
    "impressions": """impressions|Impressionen|impresiones|impression|impressioni|impressões
        |impressies|weergaven|vertoningen""",
    "reach": """reach|Reichweite|couverture|portée|alcance|copertura|bereik""",
    "clicks": """clicks (all)|clicks|Klicks (alle)|Klicks|clics (tous)|clics (todos)|clics
        |clic (tutti)|cliques (todos)|cliques|klikken (alle)|klikken (totaal)|klikken""",
    "link_clicks": """link clicks|inline link clicks|link-Klicks|Linkklicks|Link Klicks
        |clics sur un lien|clics sur le lien|clics sur lien|clics en el enlace
        |clics en enlaces|clic sul link|clic su link|cliques no link|cliques na ligação
        |cliques em links|klikken op links|klikken op link|klikken op een link|linkkliks
        |linkklikken|link-kliks""",
    "outbound_clicks": """outbound clicks|ausgehende Klicks|clics sortants|clics salientes
        |clic in uscita|cliques de saída|uitgaande klikken|uitgaande kliks""",
    "landing_page_views": """landing page views|website landing page views|Landingpage-Aufrufe
        |Landing-Page-Aufrufe|Landing Page-Aufrufe|Aufrufe der Landingpage|Zielseitenaufrufe
        |vues de page de destination|vues de la page de destination
        |visitas a la página de destino|visualizaciones de la página de destino
        |visualizzazioni della pagina di destinazione|visualizzazioni pagina di destinazione
        |visualizações da página de destino|visualizações de página de destino
        |weergaven van landingspagina|landingspaginaweergaven|weergaven landingspagina
        |weergaven van bestemmingspagina""",
    "post_engagements": """post engagements|post engagement|Beitragsinteraktionen
        |interactions avec la publication|interactions avec les publications
        |interacción con la publicación|interacciones con la publicación|interazioni con il post
        |engajamentos com o post|engajamento com o post|engajamentos com a publicação
        |interações com a publicação|berichtinteracties|interacties met bericht
        |berichtbetrokkenheid""",
    "content_views": """content views|website content views|Content-Aufrufe|Inhaltsaufrufe
        |Aufrufe von Inhalten|vues de contenu|vues du contenu|visualizaciones de contenido
        |visualizaciones del contenido|visitas al contenido|visualizzazioni di contenuti
        |visualizzazioni dei contenuti|visualizações do conteúdo|visualizações de conteúdo
        |contentweergaven|weergaven van content""",
    "searches": """searches|website searches|Suchvorgänge|Suchen|recherches|búsquedas|ricerche
        |pesquisas|zoekopdrachten""",
    "adds_to_cart": """adds to cart|add to cart|website adds to cart
        |In-den-Einkaufswagen-Vorgänge|„In den Einkaufswagen“-Vorgänge|Warenkorbzusätze
        |Hinzufügungen zum Einkaufswagen|Artikel im Einkaufswagen|ajouts au panier
        |artículos agregados al carrito|artículos añadidos al carrito|aggiunte al carrello
        |adições ao carrinho|toevoegingen aan winkelwagen|toevoegingen aan winkelwagentje""",
    "checkouts": """checkouts initiated|initiated checkouts|website checkouts initiated
        |Begonnene Checkouts|eingeleitete Checkouts|gestartete Checkouts|paiements initiés
        |lancements de paiement|paiements lancés|pagos iniciados|pagamenti avviati
        |acquisti avviati|finalizações de compra iniciadas|pagamentos iniciados
        |gestarte betalingen|afrekeningen gestart|gestarte afrekeningen""",
    "purchases": """purchases|Käufe|achats|compras|acquisti|aankopen|website purchases
        |Website-Käufe|achats sur le site web|compras en el sitio web|acquisti sul sito web
        |compras no site|websiteaankopen|aankopen op website""",
    "revenue": """purchases conversion value|purchase conversion value|Conversion-Wert für Käufe
        |Conversion-Wert von Käufen|Kauf-Conversion-Wert|Käufe – Conversion-Wert
        |Wert der Kauf-Conversions|Wert von Kauf-Conversions|valeur de conversion des achats
        |valeur de conversion de l'achat|valor de conversión de compras
        |valor de conversión de las compras|valore di conversione degli acquisti
        |valore di conversione dell'acquisto|valor de conversão da compra
        |valor de conversão de compras|valor de conversão das compras
        |conversiewaarde van aankopen|conversiewaarde aankopen|conversiewaarde voor aankopen
        |website purchases conversion value|website purchase conversion value
        |purchase value|revenue""",
    "leads": """leads|prospects|clientes potenciales|lead|contatti|cadastros
        |potenciais clientes""",
    "video_3s_plays": """3-second video plays|3-second video views|3-second plays
        |3-Sekunden-Video-Wiedergaben|3-Sekunden-Videowiedergaben|Videowiedergaben von 3 Sekunden
        |lectures de vidéo de 3 secondes|lectures de vidéos de 3 secondes
        |lectures vidéo de 3 secondes|lectures de 3 secondes de la vidéo
        |reproducciones de video de 3 segundos|reproducciones de vídeo de 3 segundos
        |riproduzioni del video di 3 secondi|riproduzioni video di 3 secondi
        |reproduções de vídeo por 3 segundos|reproduções do vídeo por 3 segundos
        |videoweergaven van 3 seconden|3 seconden durende videoweergaven
        |video-afspeelbeurten van 3 seconden""",
    "thruplays": """thruplays|thruplay|ThruPlay-Aufrufe""",
}

_CODE = re.compile(r"\s*[(\[]\s*([A-Z]{3}|[€£])\s*[)\]]\s*$")
_SIGNS = {"€": "EUR", "£": "GBP"}


def key(header: object) -> str:
    """A header without case and surrounding space, for comparing with a mapping."""
    return " ".join(str(header if header is not None else "").split()).casefold()


def currency_of(header: str) -> str | None:
    """The currency a header names at its end, such as EUR in `Amount spent (EUR)`."""
    found = _CODE.search(header)
    return _SIGNS.get(found[1], found[1]) if found else None


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("’", "'").replace("_", " "))
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return key(bare.replace("-", " ").replace("–", " ").replace("„", "").replace("“", ""))


_KNOWN: dict[str, tuple[str, int]] = {
    _fold(header): (field, rank)
    for field, headers in _HEADERS.items()
    for rank, header in enumerate(headers.split("|"))
}


def recognise(headers: Sequence[str]) -> dict[str, int]:
    """Fields of an Ads Manager export and the index of their column.

    Args:
        headers: The header row.

    Returns:
        Fields found, among them `starts`, `ends`, `account_id` and `currency`, which no mapping
        names. Of several headers of a field the preferred one is taken.
    """
    best: dict[str, tuple[int, int]] = {}
    for index, header in enumerate(headers):
        found = _KNOWN.get(_fold(header))
        if found is None and currency_of(header):
            found = _KNOWN.get(_fold(_CODE.sub("", header)))
            if found is not None and found[0] not in MONEY:
                found = None
        if found is not None:
            field, rank = found
            if field not in best or rank < best[field][0]:
                best[field] = (rank, index)
    return {field: index for field, (_, index) in best.items()}
