/** Questions that the demo's help centre answers, as customers might put them. */
export interface Sample {
  language: string;
  name: string;
  address: string;
  subject: string;
  text: string;
}

export const SAMPLES: Sample[] = [
  {
    language: "en",
    name: "Jane Doe",
    address: "jane@customer.example",
    subject: "Sending a tent back",
    text: "Hello,\n\nthe tent does not suit me. How do I return an item?\n\nThanks\nJane",
  },
  {
    language: "de",
    name: "Jens Krüger",
    address: "jens@kunde.example",
    subject: "Rücksendung",
    text: "Guten Tag,\n\nder Rucksack ist mir zu klein. Wie kann ich einen Artikel zurückgeben?\n\nViele Grüße\nJens Krüger",
  },
  {
    language: "es",
    name: "Ana Morales",
    address: "ana@cliente.example",
    subject: "¿Dónde está mi paquete?",
    text: "Hola:\n\n¿Cómo puedo hacer el seguimiento de mi pedido?\n\nGracias,\nAna",
  },
  {
    language: "fr",
    name: "Luc Moreau",
    address: "luc@client.example",
    subject: "Colis abîmé",
    text: "Bonjour,\n\nmon colis est arrivé abîmé. Que dois-je faire ?\n\nCordialement,\nLuc Moreau",
  },
  {
    language: "ja",
    name: "佐藤 葵",
    address: "aoi@kokyaku.example",
    subject: "パスワードについて",
    text: "パスワードを忘れてしまいました。どうすれば再設定できますか。\n\n佐藤",
  },
  {
    language: "ar",
    name: "ليلى حداد",
    address: "layla@amil.example",
    subject: "استرداد المبلغ",
    text: "مرحبًا،\n\nأعدت السترة قبل أسبوع. متى أسترد المبلغ؟\n\nشكرًا\nليلى",
  },
];

/** One that no article answers: it goes to a person. */
export const OUTSIDE: Sample = {
  language: "en",
  name: "Jane Doe",
  address: "jane@customer.example",
  subject: "A job in Lisbon",
  text: "Hello,\n\ndo you have an opening for an accountant in your Lisbon office?\n\nJane",
};
