/** A customer to be, with an address of every kind. */
export interface Persona {
  id: string;
  /** BCP 47. */
  language: string;
  name: string;
  /** By the kind of address that a channel knows its peers by; numbers are ones that belong to nobody. */
  addresses: Record<string, string>;
  handle: string;
  questions: Question[];
}

/** What the demo's help centre answers, as a customer might put it. */
export interface Question {
  subject: string;
  text: string;
}

export const PERSONAS: Persona[] = [
  {
    id: "jane",
    language: "en",
    name: "Jane Doe",
    addresses: { email: "jane@customer.example", phone: "+442079460071" },
    handle: "jane",
    questions: [
      { subject: "Sending a tent back", text: "Hello, the tent does not suit me. How do I return an item?" },
      { subject: "Where is my parcel?", text: "Hi, how can I track my order?" },
      // One that no article answers: it goes to a person.
      { subject: "A job in Lisbon", text: "Hello, do you have an opening for an accountant in Lisbon?" },
    ],
  },
  {
    id: "jens",
    language: "de",
    name: "Jens Krüger",
    addresses: { email: "jens@kunde.example", phone: "+493023125071" },
    handle: "jens",
    questions: [
      {
        subject: "Rücksendung",
        text: "Guten Tag, der Rucksack ist mir zu klein. Wie kann ich einen Artikel zurückgeben?",
      },
      { subject: "Sendungsverfolgung", text: "Hallo, wo sehe ich, wann mein Paket ankommt?" },
      { subject: "Ein Mensch, bitte", text: "Ich möchte bitte mit einem Menschen sprechen." },
    ],
  },
  {
    id: "aoi",
    language: "ja",
    name: "佐藤 葵",
    addresses: { email: "aoi@kokyaku.example", phone: "+819000000071" },
    handle: "aoi",
    questions: [
      {
        subject: "パスワードについて",
        text: "パスワードを忘れてしまいました。どうすれば再設定できますか。",
      },
      { subject: "返品について", text: "商品を返品したいのですが、どうすればよいですか。" },
    ],
  },
  {
    id: "ana",
    language: "es",
    name: "Ana Morales",
    addresses: { email: "ana@cliente.example", phone: "+34600000071" },
    handle: "ana",
    questions: [
      {
        subject: "¿Dónde está mi paquete?",
        text: "Hola: ¿cómo puedo hacer el seguimiento de mi pedido? Gracias.",
      },
      { subject: "Devolución", text: "Hola, ¿cómo devuelvo un artículo?" },
    ],
  },
  {
    id: "luc",
    language: "fr",
    name: "Luc Moreau",
    addresses: { email: "luc@client.example", phone: "+33199000071" },
    handle: "luc",
    questions: [{ subject: "Colis abîmé", text: "Bonjour, mon colis est arrivé abîmé. Que dois-je faire ?" }],
  },
  {
    id: "layla",
    language: "ar",
    name: "ليلى حداد",
    addresses: { email: "layla@amil.example", phone: "+966500000071" },
    handle: "layla",
    questions: [
      { subject: "استرداد المبلغ", text: "مرحبًا، أعدت السترة قبل أسبوع. متى أسترد المبلغ؟ شكرًا." },
      { subject: "تتبع الطلب", text: "كيف أتتبع طلبي؟" },
    ],
  },
];

/** Who acts, as one channel knows them. */
export interface Customer {
  name: string;
  /** Empty where no address was given yet. */
  who: string;
}

export function asKnown(persona: Persona, peerKind: string): Customer {
  return { name: persona.name, who: persona.addresses[peerKind] ?? persona.handle };
}
