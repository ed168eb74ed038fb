"""Recognising that somebody asks for a person, in their own words."""

from __future__ import annotations

import re

from core.knowledge.words import without_signs

# Per language: verbs or phrases that ask for contact, near a word for a person. Statements about people
# ("the agent at the shop told me") must not match, so a noun alone never does.
_PATTERNS = (
    # en
    r"\b(?:(?:speak|talk|chat|connect(?:ed)?|transfer(?:red)?|put|pass|escalate|forward)\b.{0,30}\b(?:to|with|through)|"
    r"(?:want|need|like|get|give|prefer|have|ask(?:ing)? for|call) (?:me )?(?:an? |to (?:see|reach) )?)\W*"
    r"(?:(?!another |other |different |second |my |third )\w+ ){0,3}?(?:human|person|real person|agent|representative|rep|operator|"
    r"someone real|somebody real|manager|supervisor|advisor|staff|employee)\b(?![-'’])",
    r"^\W*(?:a |an |the )?(?:human|real person|live person|agent|representative|operator|live chat|mitarbeiter|mensch|conseiller|agente|"
    r"operatore|operador|atendente|medewerker|konsultant|оператор|человек|موظف|オペレーター|担当者|상담원|客服|เจ้าหน้าที่)"
    r"\W*(?:now|please|bitte|s.?il vous pla[iî]t|por favor|per favore|alstublieft|пожалуйста|お願いします)?\W*$",
    r"\b(?:human|live|real) (?:agent|person|being|support|help)\s*(?:please|now|!|\.|$)",
    r"\b(?:speak|talk) (?:to|with) (?:a |an |some(?:one|body))(?: (?:real|human|at your|from your|in your))",
    r"\bno(?:t)? (?:a )?(?:more )?(?:bot|robot|machine|ai)s?\b.{0,20}(?:please|human|person|!|$)",
    # de
    r"\b(?:mit|zu|an) (?:\w+ ){0,3}?(?:menschen?|mitarbeiter(?:in|n|innen)?|person|kundenberater(?:in)?|berater(?:in)?|kollegen|sachbearbeiter(?:in)?)\b.{0,40}"
    r"\b(?:sprechen|reden|schreiben|verbinden|verbunden|chatten|weiterleiten|telefonieren|unterhalten|kontakt)",
    r"\b(?:einen?|echten?) (?:echten?|richtigen?|menschlichen?|lebenden?)? ?(?:menschen|mitarbeiter(?:in)?|ansprechpartner(?:in)?)\b.{0,20}(?:bitte|$|!|\?)",
    # fr
    r"\b(?:parler|discuter|échanger|être mise? en (?:relation|contact)|contacter|joindre|passez|transférez).{0,30}\b(?:humain|personne|conseiller|conseillère|agent|opérateur|quelqu.un|employé|responsable)",
    # es
    r"\b(?:hablar|comunicar|contactar|chatear|pas[ae]\w*|atienda|transfier\w*).{0,30}\b(?:persona|humano|humana|agente|operador\w*|alguien|asesor\w*|representante|encargad\w+)",
    r"\b(?:quiero|necesito) (?:un|una|a) (?:persona|humano|agente|asesor\w*)",
    # pt
    r"\b(?:falar|conversar|contactar|contatar|transferir|transfira|passar).{0,30}\b(?:pessoa|humano|humana|atendente|agente|operador\w*|alguém|assistente humano|responsável)",
    # it
    r"\b(?:parlare|comunicare|contattare|passat\w+|passi|trasferi\w+|mettermi in contatto).{0,30}\b(?:persona|umano|umana|operatore|operatrice|qualcuno|addetto|agente|responsabile)",
    # nl
    r"\b(?:met|naar) (?:\w+ ){0,3}?(?:mens|persoon|medewerker|collega|iemand)\b.{0,30}\b(?:spreken|praten|chatten|doorverb\w+|bellen)",
    r"\b(?:spreken|praten|chatten|doorverb\w+)\b.{0,20}\b(?:mens|persoon|medewerker|iemand)",
    r"\b(?:een|echte) (?:echte )?(?:mens|persoon|medewerker) (?:spreken|aan de lijn)",
    # pl
    r"\b(?:rozmawia\w+|porozmawia\w+|połącz\w*|skontaktowa\w+|kontakt\w*|przełącz\w*).{0,30}\b(?:człowiek\w*|osob\w+|konsultant\w*|pracownik\w*|agent\w*|kimś)",
    # tr
    r"\b(?:insan\w*|temsilci\w*|yetkili\w*|gerçek (?:biri|kişi)\w*|operatör\w*|müşteri hizmetleri\w*).{0,30}\b(?:konuş\w*|görüş\w*|bağla\w*|aktar\w*|istiyorum)",
    # ru, uk
    r"(?:поговорить|связаться|соедин\w+|переключ\w+|перевед\w+|пообщаться|позов\w+|дайте|нужен|хочу).{0,30}(?:человек\w*|оператор\w*|сотрудник\w*|менеджер\w*|специалист\w*)",
    # ar
    r"(?:التحدث|اتحدث|احكي|اتكلم|الكلام|التواصل|تحويلي|حولني|حولوني|وصلني).{0,30}(?:شخص|انسان|موظف\w*|ممثل|بشري|احد|مندوب)",
    # hi
    r"(?:इंसान|इनसान|व्यक्ति|एजेंट|एजेट|आदमी|कर्मचारी|प्रतिनिधि|किसी).{0,25}(?:बात|सपर्क|संपर्क|जोड़|जोड)",
    # ja
    r"(?:人間|人|担当者|オペレーター|オペレータ|スタッフ|係の方|係員|有人).{0,8}(?:話|つな|繋|代わ|かわ|対応|お願い|直接|問い合わせ|チャット)",
    # zh
    r"(?:转|轉|找|要|接|联系|聯繫|聯絡|跟|和|与|與|需要).{0,6}(?:人工|真人|客服人员|客服人員|活人|专员|專員)",
    r"(?:人工|真人)(?:客服|服务|服務|座席)?\s*[!!。.]*$",
    # ko
    r"(?:사람|상담원|상담사|직원|담당자).{0,8}(?:연결|통화|이야기|얘기|대화|상담|바꿔|말하고|원해|문의)",
    # th
    r"(?:คุย|พูด|ติดต่อ|โอนสาย|ต่อสาย|สนทนา|แชท|ขอ).{0,15}(?:เจ้าหน้าที่|พนักงาน|คนจริง|มนุษย์|แอดมิน|กับคน)",
    # vi, id, sv, da, nb, fi, cs
    r"\b(?:nói chuyện|gặp|liên hệ|kết nối|trao đổi).{0,20}(?:nhân viên|người thật|con người|tư vấn viên)",
    r"\b(?:bicara|berbicara|hubungkan|terhubung|ngobrol).{0,25}\b(?:orang|manusia|petugas|agen|staf|cs)",
    r"\b(?:prata|tala|snakke|tale|chatte|chatta|puhua|mluvit|spojit).{0,25}\b(?:människa|person|medarbetare|menneske|medarbejder|någon|noen|nogen|ihmis\w*|henkilö\w*|asiakaspalvelija\w*|člověkem|operátorem|někým)",
)
_ASKS = re.compile("|".join(f"(?:{pattern})" for pattern in map(without_signs, _PATTERNS)), re.IGNORECASE)
_KEEPS = re.compile(
    r"\b(?:don'?t|do not|no need to|without|instead of|ohne|nicht|sans|pas besoin|sin|no necesito|sem|senza|zonder) "
    r"(?:\w+ ){0,4}(?:human|person|agent|representative|menschen|mitarbeiter|personne|conseiller|persona|agente|pessoa|operatore|medewerker)",
    re.IGNORECASE,
)


def wants_person(text: str) -> bool:
    """Whether the message asks to be served by a human being."""
    plain = without_signs(text)
    return bool(_ASKS.search(plain)) and not _KEEPS.search(plain)
