"""Words that questions on any subject are made of, beyond what full text leaves out by itself.

How rare a word is in a small help centre says little about such words: `take` may stand in one article
only, and a question about how long something takes has nothing to do with it.
"""

from __future__ import annotations

import re
from functools import cache

from core.knowledge.words import unaccented, words

_GENERIC = {
    "en": "able about actually already also another any anybody anyone anything around ask asked away bit can can't cannot "
    "come comes could couldn't day days did didn't do does doesn't doing don't done else ever every everything exactly "
    "explain few find first for get gets getting give given go goes going gone good got great had happen happened happens "
    "has have haven't having hear help here hi hello hey however i'd i'll i'm i've i it's just keep know last least let "
    "like little long look looking lot made make many may maybe me mean might mine more most much must need needed needs "
    "never new next nice nobody nothing now often once one only other others ought people per please possible probably "
    "put quite really right said same saw say see seem seen shall should show some somebody someone something soon sorry "
    "still such sure take takes taken taking tell thank thanks thing things think thought time today together tomorrow "
    "too told took tried try trying two us use used usually very wait want wanted wants was way ways week weeks well went "
    "what what's when whenever where where's wheres whether which who why will wish within without won't wonder "
    "wondering work works would yes yesterday yet you you'd you've your",
    "de": "ab aber also anders auch ausserdem außerdem bald bekomme bekommen bekommt besser bin bis bisher bitte brauche "
    "brauchen dabei dafür damit danke dann daran darauf darf das dauert dauern dazu denn deshalb doch dort durch dürfen "
    "einfach einige einmal etwa etwas euch euer eure eurem euren findet finde finden für gab ganz gar geben gebe gehe "
    "gehen geht genau genug gerade gern gerne gestern gibt ging gut habe haben habt hallo hat hatte hätte helfen heute "
    "heißt hier ich ihnen ihr immer irgendwie ja jede jemand jetzt kann kannst kein keine klappt komme kommen kommt könnt können könnte "
    "könnten kriege lang lange lassen leider letzte liebe machen mache macht mag mal man mehr mein meine meinem meinen "
    "meiner meist melden möchte möchten möglich morgen müssen muss nächste nämlich nehmen nein neu neue nicht nichts noch "
    "normalerweise nun nur oder oft ohne schnell schon sehr seit sie sofort sogar soll sollte sonst tag tage tagen trotzdem "
    "tun überhaupt übrigens viel viele vielleicht von vor wann warum was weil weiß welche welchem welchen welcher welches "
    "wenn wer werde werden wie wieder wieso will willst wird wissen wo woche wochen wohin wollen wollte worden wurde würde "
    "zeit ziemlich zu zusammen zwei",
    "es": "ahora algo alguien algún alguna algunos allí antes aquí así aún ayer ayuda ayudar bien buenas buenos bueno cada "
    "cambio caso casi cómo con cosa cosas creo cuál cuáles cualquier cuándo cuanta cuánta cuántas cuánto cuántos da dan "
    "dar debe debería debo decir deja del demás dentro desde después día días dice dime dónde dos durante encontrar "
    "entonces era eres es ese eso espera está están estar esto estoy favor forma fue funciona gracias gustaría ha haber "
    "hace hacer haces hago han hasta hay he hola hoy igual incluso ir largo luego lugar llega llegan llegar llevo mañana "
    "mas más manera me mejor mi mío misma mismo modo momento mucha muchas mucho muchos muy nada necesita necesito ninguno "
    "nos nuevo nunca otra otro par para parece pasa pasado pero persona poco podéis podemos podría poner por porque posible "
    "primero primera puede pueden puedes puedo pues que qué quería querría quiere quiero quién realmente saber sabe se "
    "semana semanas ser si sí sido siempre sin sobre sois solo somos son soy suele también tan tanto tarda tardan tardar "
    "tenéis tener tengo tenía tiempo tiene tienen tienes todavía todo todos tomar tuve último un una usar usted ustedes va "
    "vale vamos ver vez voy vosotros ya",
    "fr": "ai aider aide ainsi alors an après arrive assez au aucun aujourd'hui aura aurais aussi autre autres avant avec "
    "avez avoir avons beaucoup besoin bien bientôt bonjour bon ça car cela ces cette chaque chez chose choses combien "
    "comme comment dans déjà demain depuis dernier dernière des deux devoir devrais dire dis dit dois doit donc donner dont "
    "du durée elle en encore enfin ensuite entre est était êtes être eu faire fais fait fait-on falloir faut fois font "
    "hier ici il ils j'ai j'aimerais j'avais jamais je jour jours jusqu'à l'on là long longtemps lors lui maintenant mais "
    "manière même merci met mettre mieux moi moins mon mois ne non nos notre nous nouveau on ont où oui par parce parler "
    "pas passe passer pendant personne petit peu peut peut-on peux plaît plus plusieurs possible pour pourquoi pourrais "
    "pourriez pouvez pouvez-vous pouvoir premier prend prendre près presque puis puis-je quand que quel quelle quelles "
    "quelqu'un quelque quels qu'est-ce qui quoi rien salut s'il sais sait savoir semaine semaines sera serait si soit sont "
    "souhaite souhaiterais sous souvent suis sur svp tard temps toujours tous tout toute toutes très trop trouver tu un "
    "une va vais vers veut veux viens voilà voir vont vos votre voudrais voulais vous vrai vraiment",
    "it": "abbiamo adesso aiutare aiuto alcuni allora altra altro anche ancora appena arriva avere avete avevo avrei bene "
    "bisogno buongiorno c'è che chi ci ciao ciò circa come comunque con cosa così cui da dare deve devo di dire dopo dove "
    "due durante è ecco entro era ero esempio essere fa faccio fare fatto finora forse già giorni giorno gli grazie ha hai "
    "ho ieri in insieme invece io la lo loro ma mai me meglio meno mentre mettere mi mia mie mio modo molto momento "
    "naturalmente nessuno niente noi non nostro nulla nuovo o oggi ogni ok ora perché però persona più poco poi possiamo "
    "possibile posso possono potete potrei prendere prego prima primo proprio può puoi qualche qualcosa qualcuno quale quali "
    "quando quanta quanti quanto quasi quello questa questo qui quindi sapere sarà se sempre senza sera serve settimana "
    "settimane si sia sì siamo siete solo sono sopra sta stato stare sto stessa stesso su subito tanto te tempo tra trovare "
    "troppo tutta tutti tutto ultimo un una uno usare va vado vedere vero verso vi voglio vogliamo volta vorrei vostra "
    "vostro vuole",
    "nl": "aan al alle alleen alles altijd als andere anders beetje ben best bij bijna binnen daar dag dagen dan dank dat de "
    "denk deze die dit doe doen doet door duren duurt een eens eerst eigenlijk elke en er erg even ga gaan gaat geen "
    "gegeven gehad gekregen geven geweest gewoon goed graag haal had hallo heb hebben hebt heeft heel help helpen hier "
    "hoe hoeveel hoi iemand iets ik in is ja jaar jammer je jij jou jouw jullie kan kom komen komt kon kreeg krijg krijgen "
    "krijgt kun kunnen laat laatste lang lange later maak maakt maar maken manier me meer meest mij mijn misschien moest "
    "moet moeten mogelijk mogen morgen na naar nee net niemand niet niets nieuw nieuwe nodig nog nooit nou nu of om omdat "
    "ons onze ook op over paar per precies samen snel soms te tegen ten tijd toch toe toen tot twee uit uur vaak van vandaag "
    "veel verder via vind vinden volgende voor vraag waar waarom wanneer want waren was wat week weken weer weet wel welk "
    "welke werkt weten wie wil willen word worden wordt zal ze zeer zeg zeggen zelf zich zie zien zijn zo zoals zonder zou",
    "pt": "agora ainda algo alguém algum alguma alguns amanhã antes ao aos apenas aqui assim até bem boa bom cada caso coisa "
    "coisas com como conseguir consigo contra creio da dar de demora demoram demorar depois desde deve deveria devo dia "
    "dias disse dizer do dois durante e ela ele em então entre era essa esse está estão estar este estou eu favor fazer faço "
    "faz feito fica ficar foi forma gostaria há hoje ir isso isto já jeito lá leva levar logo longo lugar mais mas me "
    "melhor menos mesma mesmo meu meus minha minhas momento muita muitas muito muitos na nada não nenhum ninguém no nos "
    "nosso nova novo nunca obrigada obrigado oi olá onde ontem os ou outra outro para parece passado pela pelo pessoa pode "
    "podem poderia podia pois por porque posso pouco precisa preciso preciso primeira primeiro próximo quais qual quando "
    "quanta quantas quanto quantos quase que quem quer queria quero saber se sei sem semana semanas sempre ser será seu "
    "seus sido sim sobre só sou sua tal também tanto te tem têm temos tempo tenho ter teria tinha toda todas todo todos "
    "tudo último um uma usar vai vamos ver vez vezes você vocês vou",
    "pl": "aby albo ale ani bardzo bez będę będzie był była było by być chcę chce chciałabym chciałbym choć ciągle co coś czas "
    "czasu czego czekać czemu czy czyli dać dalej dlaczego dla do dobrze dobry dopiero dostać dostanę drugi dużo dwa "
    "dziękuję dzień dziś dni długo gdy gdyby gdzie ich ile im inny ja jak jaka jaki jakie jako jakiś je jednak jeden jest jestem "
    "jeszcze jeśli już każdy kiedy ktoś kto które który która lub ma mają mam mamy mi mieć mnie może możemy można mogą mogę "
    "mogłabym mógłbym moja moje mojego mój musi muszę my na nad nadal nam nas nasz nic nie niech nigdy no nowy o od on ona "
    "oraz ostatni pan pani po pod pomoc pomóc ponieważ potem potrzebuję powinienem powinno prawie proszę przed przez przy raz "
    "również są sam się skoro sobie sposób swój ta tak taki tam te tego ten teraz to trochę trwa tu tutaj tydzień tylko tym u "
    "uzyskać w wam was we wiem więc więcej wiele witam wiedzieć wszystko wy wasz z za zawsze ze zostać zrobić że",
    "tr": "acaba ama artık aslında az bana bazı belki ben benim beri bile bilgi bilmek bir biraz biri birşey biz bize böyle bu "
    "bunu bugün buna çok çünkü da daha de değil demek diğer diye dün eden eder ederim edebilir edebilirim en et etmek evet "
    "fazla gerek gerekir gerekiyor gibi gün günde göre hâlâ hala hangi hafta haftada hem hemen hep hepsi her hiç için iki ile "
    "ilgili ise istiyorum istiyordum isterim iyi kaç kadar kim kimse lazım lütfen mı mi mu mü merhaba misiniz mümkün nasıl ne "
    "neden nedir nerede nereden nereye nesi niçin niye o olan olarak olabilir olacak olduğu olmak olması olur oldu olsun ona "
    "onu oraya önce sadece sana sen siz sizin size son sonra şey şimdi şu süre sürer sürede sürüyor tam tamam tane tüm uzun "
    "üzere var ve veya vermek ya yani yap yapabilir yapabilirim yapmak yapmam yapmalıyım yardım yarın yeni yine yok zaman",
    "ru": "без более будет будто будут бы был была было быть вам вас ваш вашего ваша ваше ваши вдруг ведь весь вечер во "
    "возможно вообще вот все всегда всего вы где да давно дать даже два дела делать день дней для до должен дольше долго "
    "другой его ее если есть ещё еще же за завтра зачем здесь здравствуйте знать и из или именно иметь их как какая какие "
    "какой какую когда кого который которая кто куда ли либо лучше люблю меня мне много могу могут можете можно мой мои моя моё "
    "мое моего моей моих мы на надо нас наш не него недавно неделя недели недель нельзя нет ни никак ничего но новый нужен "
    "нужно нужна ну о об один он она они опять от очень первый пожалуйста получить пока помогите помочь помощь после потом "
    "почему почти подскажите при про просто раз разве с сам самый свой себя сегодня сейчас сделать сколько скоро слишком снова "
    "со совсем спасибо способ так также такой там тебе тем теперь то тоже только том тот точно три тут ты у уж уже узнать "
    "хорошо хотел хотела хотелось хотеть хочу хотя чего чем через что чтобы что-то это этот эта эту этого я",
    "ar": "أحتاج أحصل أريد أستطيع أعرف أن أنا أنت أو أود أي أين إذا إلى إلي إليكم إن الآن التي الذي اليوم أيضا بالفعل بدون "
    "بعد بعض بكم بين تم ثم جدا حتى حول خلال ذلك سوف شخص شكرا شيء شيئا ضد طريقة عدة على عن عند عندما عندي غدا غير فقط "
    "في فيه قبل قد كان كانت كل كم كما كنت كيف لا لأن لأنني لدي لديكم لقد لكن للحصول لم لماذا لن له لو لي ليس ما ماذا متى "
    "مثل مرة مرحبا مساعدة مع من منذ منكم منه نحن هذا هذه هل هنا هناك هو هي وقت ولكن وما ومتى وهل وكيف وكم يجب يستغرق "
    "تستغرق يمكن يمكنكم يمكنني يوجد يوم يوما أيام أسبوع أسابيع أفعل عليه علي المدة مدة طويلا استطيع اريد",
}  # fmt: skip
"""Per base language, as they are written; the languages without spaces are told by their script, see `is_generic`."""

_KANA = re.compile(r"^[\u3041-\u309f]+$")
"""Hiragana alone writes Japanese grammar; what a question is about stands in kanji and katakana."""
_SIGNS = {
    "ja": "何日 何時 今日 明日 昨日 時間 場合 方法 可能 必要 教え 願い 出来 下さ 先週 来週 今週 質問 連絡 最近 自分",
    "zh": "什么 怎么 怎样 如何 多久 多少 几天 需要 可以 请问 请教 我想 我要 我的 你们 能不 不能 是否 什麼 怎麼 請問 幾天 "
    "你們 現在 现在 时候 時候 哪里 哪裡 已经 已經 没有 沒有 应该 應該 一个 一個 办法 知道 想要 告诉 我们 是不 么办 怎办 可不 不可 么时 长时 时间",
    "th": "",
    "ko": "어떻게 언제 얼마나 어디 어디서 무엇 무엇을 뭐 제가 저는 저 내 나 수 있나요 있을까요 있습니까 할 하나요 해야 하고 싶어요 싶은데요 "
    "싶습니다 되나요 됩니까 걸리나요 걸려요 좀 이 그 안녕하세요 왜 얼마 얼마인가요 무슨 어떤 가능한가요 받을 하려면 하면 주세요 알려주세요 정말 아직 지금 "
    "그냥 너무 잘 더 또 한 두 있어요 없어요 오늘 내일 며칠 동안 방법 도와주세요",
}  # fmt: skip


@cache
def _known(language: str) -> frozenset[str]:
    forms = words(_GENERIC.get(language, "") + " " + _SIGNS.get(language, ""))
    return frozenset(form for word in forms for form in (word, unaccented(word)))


def is_generic(word: str, language: str) -> bool:
    """Whether a word of `core.knowledge.words.words` says nothing about its question's subject.

    `language` is a base language; of an unknown one no word is generic.
    """
    return (language == "ja" and bool(_KANA.match(word))) or word in _known(language)
