"""The words and phrases that tell what kind of work a prompt asks for, by language.

A strong cue is a verb or noun that names the work itself ("translate", "Zusammenfassung"); a weak one only hints at
it. All are in lower case. A phrase is a run of whole words. Chinese and Japanese are written without spaces, so their
cues are found anywhere in the text.
"""

from __future__ import annotations

from pointsman.vocabulary import TaskKind

STRONG: dict[TaskKind, str] = {
    TaskKind.CLASSIFICATION: """
        classify|categorize|categorise|category|categories|classifier|classification|sentiment|label this|label the
        label each|labels|which label|spam or|is spam|toxic|positive or negative|positive, negative|triage|route this
        route the|assign the|assign a|assign one|decide whether|determine whether|which category|one of the following
        intent|urgency|is this review|is this message|is this email|is this comment|tag this|tag the|tag each
        one word|exactly one|only the label|decide for each|tag these|sort these|you sort|intent
        which department|which team|which queue|priority of|yes or no
        clasifica|clasificar|clasifique|clasifícalo|etiqueta este|etiqueta cada|etiquetar|categoría|categorías
        sentimiento
        klassifiziere|klassifizieren|klassifiziert|kategorisiere|kategorie|kategorien|ordne|einordnen|stimmung
        einstufen|klassifikation
        classe|classez|classer|classifie|classifiez|classifier|catégorie|catégories|catégorise|catégorisez
        classifica|classificare|classifichi|categoria|categorie|sentimento|etichetta|smista
        classifique|classificar|categorias|categorize|rotule
        classificeer|classificeren|categoriseer|categorie|categorieën|deel deze|sentiment
        klassificer|klassificér|kategoriser|kategorisér|kategori|kategorien
        osztályozd|osztályozza|sorold|sorolja|kategória|kategóriába|kategorizáld|hangulata
        """,
    TaskKind.EXTRACTION: """
        extract|extraction|extracting|pull out|pull the|parse the|parse this|parse it|return json with|return the fields
        list all the names|list every|list all|find all names|find all dates|named entities|entities
        fill in the fields|as json|in json|to json
        into json
        json object with|key-value|fields|capture the
        extrae|extraer|extraiga|extráeme|saca los|saca las|campos
        extrahiere|extrahieren|extrahier|herausziehen|entnehme|felder|lies die|auslesen
        extrais|extrayez|extraire|relève|relevez|champs|récupère les
        estrai|estrarre|estragga|ricava|campi
        extraia|extrair|retire os|retire as
        haal|extraheer|extraheren|velden
        udtræk|udtrække|find alle|uddrag|felterne
        nyerd ki|vonja ki|vond ki|gyűjtsd ki|mezők
        """,
    TaskKind.SUMMARISATION: """
        summarise|summarize|summarised|summarized|summary|summaries|summarising|summarizing|summarisation|tl;dr|tldr
        tl|recap|condense|key points|main points|key takeaways|takeaways|bullet summary|boil down|in a nutshell
        executive summary|digest of|action items|gist|minutes of|abstract of|sum up|synthesis|synthesise|synthesize
        bullet points|three bullets
        resume|resumir|resumen|resúmeme|resume este|resuma|puntos clave|sintetiza
        zusammenfassen|zusammenfassung|fasse|fassen sie|zusammengefasst|kurzfassung|kernpunkte|fass
        résume|résumer|résumé|résumez|synthèse|synthétise|points clés
        riassumi|riassunto|riassumere|riassuma|sintesi|sintetizza|punti chiave
        resumo|resuma|resumir|pontos principais
        samenvatten|samenvatting|vat|kernpunten
        opsummer|opsummér|opsummering|resumé|sammenfat|hovedpunkter
        foglald össze|összefoglaló|összefoglalás|összefoglalót|foglalja össze|összegezd
        """,
    TaskKind.TRANSLATION: """
        translate|translation|translated|translating|translator|in english please|into english|into german|into french
        into spanish|into italian|into portuguese|into dutch|into danish|into chinese|into hungarian|into japanese
        how do you say|how do i say|what does this mean in english|localise|localize|render this in
        traduce|traducir|traducción|traduzca|tradúcelo|tradúceme|cómo se dice|al inglés|al español
        übersetze|übersetzen|übersetzung|übersetz|übersetzt|ins englische|ins deutsche|auf englisch|auf deutsch
        traduis|traduire|traduction|traduisez|en anglais|en français|comment dit
        traduci|tradurre|traduzione|traduca|in inglese|in italiano|come si dice
        traduza|traduzir|tradução|traduz|para inglês|para o inglês|para português|como se diz
        vertaal|vertalen|vertaling|vertaalt|naar het nederlands|naar het engels|in het engels
        oversæt|oversætte|oversættelse|til engelsk|til dansk|på engelsk
        fordítsd|fordítás|fordítani|fordítsa|angolra|magyarra|németre
        """,
    TaskKind.REWRITING: """
        rewrite|rewriting|rephrase|rephrasing|reword|paraphrase|proofread|make it shorter|make this shorter|shorten
        shorten this|more formal|less formal|more polite|politer|more friendly|friendlier|sound more|tone
        fix the grammar|correct the grammar|grammar|spelling|typos|polish|make this sound|make it sound|edit this
        improve the wording|improve this|improve the writing|simplify this|simplify the|plain english|clean up this
        reescribe|reescribir|reformula|reformular|corrige|corregir|más formal|más corto|más amable|redacta de nuevo
        umschreiben|umformulieren|formuliere|formulier|schreibe um|korrigiere|korrigier|höflicher|förmlicher|kürze
        kürzer|korrekturlesen
        réécris|réécrire|reformule|reformuler|reformulez|reformuler|corrige|corrigez|corriger|plus formel|plus poli
        plus court|raccourcis|réécrivez
        riscrivi|riscrivere|riformula|riformulare|correggi|correggere|più formale|più gentile|più breve|accorcia
        reescreva|reescrever|reformule|corrija|corrigir|mais formal|mais curto|mais simpático
        herschrijf|herschrijven|herformuleer|verbeter|formeler|korter|vriendelijker
        omskriv|omskrive|omformuler|omformulér|ret|korrekturlæs|mere formel|mere formelt|kortere
        írd át|fogalmazd át|fogalmazza át|javítsd|javítsa|udvariasabb|rövidebb
        """,
    TaskKind.CODE: """
        python|javascript|typescript|java|golang|rust|kotlin|swift|php|c#|bash|powershell|sql|postgres|postgresql|mysql
        sqlite|regex|regexp|stack trace|stacktrace|traceback|exception|segfault|compile|compiler|compilation|unit test
        unit tests|pytest|jest|refactor|debug|debugging|function that|write a function|write a script|write a program
        pull request|code review|review this code|review this diff|this code|my code|the code|source code|dockerfile
        docker|kubernetes|kubectl|terraform|github actions|ci pipeline|git|npm|pip|react|django|flask|fastapi|numpy
        pandas|dataframe|api endpoint|endpoint|race condition|deadlock|memory leak|null pointer|nullpointerexception
        typeerror|valueerror|keyerror|indexerror|segmentation fault|css|html|cron expression|crontab|yaml file
        shell command|one-liner|awk|sed|grep|bash script|stored procedure|join query|index on|schema migration
        codebase|mutex
        goroutine|asyncio|async|thread-safe|leetcode|algorithm|time complexity|assertion|assert|dataclass
        código|función en|programa en|script en|error de compilación
        funktion in|quelltext|programmcode|skript|code
        le code|script|programme en|fonction
        il codice|funzione in|codice python
        o código|função em
        functie in|broncode
        koden|kode
        kód|függvényt
        """,
    TaskKind.MATHS: """
        calculate|compute|solve|integral|integrate|derivative|differentiate|equation|equations|polynomial|probability
        theorem|lemma|matrix|eigenvalue|eigenvalues|determinant|modulo|divisible|remainder|prime number|primes|factorial
        how many|how much|percentage|percent of|what is the sum|the sum of|square root|triangle|circle|radius|perimeter
        area of|volume of|average of|ratio of|standard deviation|simplify the expression|evaluate the|compound interest
        per hour|miles per hour|km/h|arithmetic|smallest possible|greatest possible|positive integer|positive integers
        integer|integers|real number|real numbers|converges|limit of|in terms of|per cent of|each of the|altogether
        in total|how old|how far|how long will|which is larger|which is smaller|which is greater|round to|vat
        percent|interest|discount|expected value|variance|logarithm|coordinates|solutions|real solutions|formula
        greatest common|least common|hypotenuse
        calcula|calcular|calcule|cuánto es|cuánto|cuántos|cuántas|ecuación|porcentaje|probabilidad
        berechne|berechnen|wie viel ist|wie viele|wie viel|gleichung|prozent|wahrscheinlichkeit|mehrwertsteuer
        calcule|calculer|calculez|combien|équation|pourcentage|probabilité
        calcola|calcolare|quanto fa|quanti|quante|equazione|percentuale|probabilità
        quanto é|quantos|quantas|equação|porcentagem
        bereken|berekenen|hoeveel|vergelijking|procent|kans
        beregn|beregne|hvor meget|hvor mange|ligning|procent|sandsynlighed
        számold ki|számítsd ki|mennyi|hány|egyenlet|százalék|valószínűség
        """,
    TaskKind.REASONING: """
        step by step|step-by-step|prove|proof|prove that|proves|puzzle|riddle|logic puzzle|clues|deduce|infer|trade-offs
        tradeoffs|trade-off|pros and cons|root cause|strategy|evaluate whether|should we|compare and|weigh
        critique|analyse the|analyze the|analyse whether|analyze whether|devise a plan|plan for|design a plan
        contradiction|contradictions|hypothesis|hypotheses|counterexample|argue|assess whether|assess the|recommend
        recommendation|explain why|who is lying|what follows|reason through|think through|reasoning|constraints
        every clue|schedule that|optimal|scenario|scenarios|diagnose|steelman|implications|consequences of
        most likely cause|likely cause|assumption|assumptions|contradict|think it through
        plan a schedule|find a valid plan|be true together|witness statements
        statement 1|which of the following|decision memo
        paso a paso|demuestra|demostrar|razona|analiza|ventajas y desventajas|compara|estrategia|recomienda
        schritt für schritt|beweise|beweisen|begründe|abwägen|analysiere|vor- und nachteile|strategie|empfehlung
        étape par étape|démontre|démontrer|analyse|avantages et inconvénients|raisonne|stratégie|recommande
        passo dopo passo|dimostra|dimostrare|analizza|vantaggi e svantaggi|ragiona|strategia|conviene
        passo a passo|demonstre|analise|prós e contras|estratégia
        stap voor stap|bewijs|analyseer|voor- en nadelen|redeneer|strategie|weeg
        trin for trin|bevis|analysér|analyser|fordele og ulemper|strategi|afvej
        lépésről lépésre|bizonyítsd|elemezd|előnyök és hátrányok|stratégia|indokold
        """,
}

WEAK: dict[TaskKind, str] = {
    TaskKind.CLASSIFICATION: "label|either|topic|topics|department|queue|classes|spam|tema|thema|sujet|argomento|emne",
    TaskKind.EXTRACTION: "json|invoice number|order number|names|dates|schema|keys|null if|null when",
    TaskKind.SUMMARISATION: "brief|briefly|bullets|bullet points|transcript|article|kurz|bref",
    TaskKind.TRANSLATION: "english|german|french|spanish|italian|portuguese|dutch|danish|hungarian|chinese|japanese",
    TaskKind.REWRITING: "shorter|formal|polite|professional|friendlier|concise|wording|clearer|draft",
    TaskKind.CODE: "function|script|bug|error|query|database|server|deploy|api|class|variable|loop|commit|branch",
    TaskKind.MATHS: "sum|total|average|number|times|double|half|twice|convert|plus|minus|divided|ratio|costs|price",
    TaskKind.REASONING: "why|because|if|therefore|compare|decide|plan|options|choose|assume|better|risk|unless",
}

UNSPACED: dict[TaskKind, tuple[str, ...]] = {
    TaskKind.CLASSIFICATION: ("分类", "归类", "情感", "类别", "分類", "カテゴリ", "标签", "是否属于", "判断"),
    TaskKind.EXTRACTION: ("提取", "抽取", "抽出", "列出所有", "字段"),
    TaskKind.SUMMARISATION: ("总结", "概括", "摘要", "归纳", "總結", "要約", "まとめて", "概述"),
    TaskKind.TRANSLATION: ("翻译", "译成", "译为", "翻譯", "翻訳", "訳して", "用英语怎么说"),
    TaskKind.REWRITING: ("改写", "润色", "改得", "重写", "修改语法", "更礼貌", "更正式", "改寫", "書き直", "添削"),
    TaskKind.CODE: ("代码", "函数", "脚本", "报错", "编程", "程式", "コード", "関数", "数据库查询"),
    TaskKind.MATHS: ("计算", "等于多少", "多少个", "方程", "概率", "百分之", "求解", "計算", "一共", "平均数"),
    TaskKind.REASONING: ("一步一步", "逐步", "推理", "证明", "分析", "利弊", "权衡", "優缺点", "谁说谎"),
}

_QUESTION_WORDS = """
    whats hows wheres whos what when where who whom whose which why how can could do does did is are am was were will
    would should may has have
    qué cuándo dónde quién cuál cuáles cómo puedo puede podría hay
    was wann wo wer warum wie welche welcher welches kann können gibt muss darf
    que quoi quand où qui pourquoi comment quel quelle quels puis-je peut est-ce
    cosa quando dove chi perché come quale quali posso
    o onde quem porque qual quais posso como
    wat wanneer waar wie waarom hoe welke kan mag
    hvad hvornår hvor hvem hvorfor hvordan hvilken hvilke
    mi mikor hol ki miért hogyan melyik mit lehet
    """
QUESTION_WORDS = frozenset(_QUESTION_WORDS.split())
