"""What simulated people write, in English, Hindi and Hinglish: short hand-written lists by what is said.

Not here: who says it when (the stories).
"""

LANGUAGES = ("en", "hi", "hinglish")

GREETING = {
    "en": ("Hi, I saw your ad.", "Hello! Is anyone there?", "Good morning, I need some information.", "Hey, quick question 🙂"),
    "hi": ("नमस्ते, मुझे जानकारी चाहिए।", "नमस्कार, क्या आप मदद कर सकते हैं?", "हैलो, आपका विज्ञापन देखा।"),
    "hinglish": ("Hi ji, aapka ad dekha tha.", "Hello bhaiya, thoda info chahiye.", "Namaste, koi hai kya?"),
}
NEED = {
    "en": (
        "What does the {product} include?",
        "Do you have the {product} in stock?",
        "Can you tell me more about the {product}?",
    ),
    "hi": ("{product} में क्या-क्या मिलेगा?", "{product} के बारे में बताइए।"),
    "hinglish": ("{product} mein kya kya milega?", "{product} ka demo mil sakta hai kya?"),
}
BUDGET = {
    "en": ("My budget is about {budget}.", "We can spend up to {budget} — is that enough?"),
    "hi": ("मेरा बजट लगभग {budget} है।", "हम {budget} तक खर्च कर सकते हैं।"),
    "hinglish": ("Budget around {budget} hai.", "{budget} tak ho jayega kya?"),
}
READY = {
    "en": ("I want to buy it this week. How do I pay?", "Let's do it. Please send the payment link."),
    "hi": ("मुझे इसी हफ़्ते लेना है, पेमेंट लिंक भेजिए।", "ठीक है, मैं खरीदना चाहता हूँ।"),
    "hinglish": ("Isi week lena hai, payment link bhejo please.", "Done, final karte hain. Kaise pay karu?"),
}
LATER = {
    "en": ("Not sure yet, I will think about it.", "Maybe next month, let me see."),
    "hi": ("अभी पक्का नहीं है, सोचकर बताऊँगा।", "शायद अगले महीने।"),
    "hinglish": ("Abhi pakka nahi, soch ke batata hu.", "Next month dekhte hain."),
}
AGAIN = {
    "en": ("One more thing: do you deliver on weekends?", "Are you still there? I have a question.", "Can I see a sample first?"),
    "hi": ("एक और सवाल: डिलीवरी कब होगी?", "क्या मैं पहले सैंपल देख सकता हूँ?"),
    "hinglish": ("Ek aur baat, delivery kab tak hogi?", "Pehle sample dikha sakte ho?"),
}
HUMAN = {
    "en": ("Please let me talk to a person.", "Can a human call me?"),
    "hi": ("मुझे किसी इंसान से बात करनी है।",),
    "hinglish": ("Kisi insaan se baat karao please.",),
}
ANSWER = {
    "en": (
        "Thanks for writing! Happy to help.",
        "Sure — here are the details.",
        "May I ask by when you need it?",
        "Noted. What is your budget?",
    ),
    "hi": ("धन्यवाद! मैं मदद करती हूँ।", "ज़रूर, यह रहा विवरण।", "आपको कब तक चाहिए?"),
    "hinglish": ("Thanks! Main help karti hu.", "Bilkul, details ye rahi.", "Kab tak chahiye aapko?"),
}
PERSON = {
    "en": ("Hi, {person} here. I am taking over from our assistant.", "{person} speaking: I have sent you the offer."),
    "hi": ("नमस्ते, मैं {person} बोल रही हूँ।",),
    "hinglish": ("Hi, {person} this side. Offer bhej diya hai.",),
}
LAKH = 100_000
PRODUCTS = ("premium plan", "2BHK flat", "CRM course", "solar kit", "coaching package", "electric scooter")


def money(major: int, currency: str) -> str:
    """An amount as people of that currency write it.

    >>> money(250_000, "INR"), money(900_000, "AED"), money(12_500, "USD")
    ('₹2.5 lakh', 'AED 900k', '$12,500')
    """
    if currency == "INR":
        return f"₹{major / LAKH:g} lakh" if major >= LAKH else f"₹{major // 1000}k"
    if currency == "AED":
        return f"AED {major // 1000}k"
    return f"{'$' if currency == 'USD' else '€'}{major:,}"
